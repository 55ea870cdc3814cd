"""Damaged files for everything that reads files, and a table of what came of them.

python -m benchmarks.fuzz [--inputs 100000] [--only zip,tar] [--seed 0]
"""

import argparse
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import warnings
from dataclasses import asdict
from pathlib import Path

import numpy as np

from benchmarks.fuzz.campaign import CURRENT, Count, fuzz
from benchmarks.fuzz.loaders import LOADERS
from benchmarks.hardware import save
from deepstdp.files import read_json, write_json
from deepstdp.tables import markdown_table

_CHILD = "--child"

_MOST_MORE_BYTES = 8 << 30
"""Of memory that a process may ask for beyond what it has once all is imported."""

_COUNT = "count.json"
"""What became of the files so far, beside those that are kept."""

_SECONDS_EACH = 2.0
"""A process that takes longer on average, and ten minutes for its start, is ended."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--inputs", type=int, default=100_000, help="damaged files, over all kinds")
    parser.add_argument("--only", default=",".join(LOADERS), help="kinds, with commas")
    parser.add_argument("--seed", type=int, default=0, help="of the damage")
    parser.add_argument(
        "--keep",
        type=Path,
        default=Path("runs/fuzz"),
        help="folder for the files that a loader fails on",
    )
    parser.add_argument(_CHILD, action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    names = args.only.split(",")
    n = -(-args.inputs // len(names))
    if args.child:
        most = _addresses() + _MOST_MORE_BYTES
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
        _fuzz(names[0], n, args.seed, args.keep)
        return 0
    counts = {}
    for name in names:
        counts[name] = _in_a_process(name, n, args.seed, args.keep)
        print(name, asdict(counts[name]), flush=True)
        save("fuzz", {name: asdict(count) for name, count in counts.items()})
    print(table(counts))
    return int(any(count.failures for count in counts.values()))


def _fuzz(name: str, n: int, seed: int, keep: Path) -> None:
    warnings.simplefilter("ignore")
    kept = _kept(keep, name)
    shutil.rmtree(kept, ignore_errors=True)
    kept.mkdir(parents=True)

    def note(count: Count) -> None:
        write_json(kept / _COUNT, asdict(count))

    with tempfile.TemporaryDirectory() as folder:
        fuzz(LOADERS[name], n, np.random.default_rng(seed), Path(folder), kept, note)


def _in_a_process(name: str, n: int, seed: int, keep: Path) -> Count:
    """A process for each kind: damaged files can crash a library, and memory is counted by kind."""
    command = [sys.executable, "-m", "benchmarks.fuzz", _CHILD, "--only", name]
    command += ["--inputs", str(n), "--seed", str(seed), "--keep", str(keep)]
    try:
        code = subprocess.run(command, check=False, timeout=600 + n * _SECONDS_EACH).returncode
        ended = f"exit code {code}" if code else ""
    except subprocess.TimeoutExpired:
        ended = "it took too long"
    kept = _kept(keep, name)
    count = Count(**read_json(kept / _COUNT)) if (kept / _COUNT).exists() else Count()
    if ended:
        reading = ", ".join(map(str, kept.glob(f"{CURRENT}*")))
        count.failures.append(f"{ended}; it was reading {reading or 'nothing yet'}")
    return count


def _addresses() -> int:
    """Bytes of memory that this process has asked for."""
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


def _kept(keep: Path, name: str) -> Path:
    return keep / re.sub(r"\W+", "-", name)


def table(counts: dict[str, Count]) -> str:
    """A row a kind of file."""
    head = ("file", "given", "refused", "read", "failures", "slowest, s", "memory, MiB")
    rows = [
        (
            *(name, f"{c.given:,}", f"{c.refused:,}", f"{c.read:,}", str(len(c.failures))),
            *(f"{c.seconds:.1f}", f"{c.mib:.0f}"),
        )
        for name, c in counts.items()
    ]
    return "\n".join(markdown_table(head, rows))


if __name__ == "__main__":
    sys.exit(main())
