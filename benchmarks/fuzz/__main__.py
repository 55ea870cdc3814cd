"""Damaged files for everything that reads files, and a table of what came of them.

python -m benchmarks.fuzz [--inputs 100000] [--only zip,tar] [--seed 0]
"""

import argparse
import json
import re
import resource
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
from deepstdp.tables import markdown_table

_CHILD = "--child"

_MOST_ADDRESSES = 24 << 30
"""Bytes of memory that a process may ask for, torch's libraries among them."""


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
        resource.setrlimit(resource.RLIMIT_AS, (_MOST_ADDRESSES, _MOST_ADDRESSES))
        print(json.dumps(asdict(_fuzz(names[0], n, args.seed, args.keep))))
        return 0
    counts = {}
    for name in names:
        counts[name] = _in_a_process(name, n, args.seed, args.keep)
        print(name, asdict(counts[name]), flush=True)
    print(table(counts))
    save("fuzz", {name: asdict(count) for name, count in counts.items()})
    return int(any(count.failures for count in counts.values()))


def _fuzz(name: str, n: int, seed: int, keep: Path) -> Count:
    warnings.simplefilter("ignore")
    kept = _kept(keep, name)
    kept.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        return fuzz(LOADERS[name], n, np.random.default_rng(seed), Path(folder), kept)


def _in_a_process(name: str, n: int, seed: int, keep: Path) -> Count:
    """A process for each kind: damaged files can crash a library, and memory is counted by kind."""
    command = [sys.executable, "-m", "benchmarks.fuzz", _CHILD, "--only", name]
    command += ["--inputs", str(n), "--seed", str(seed), "--keep", str(keep)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        found = ", ".join(map(str, _kept(keep, name).glob(f"{CURRENT}*")))
        return Count(failures=[f"exit code {done.returncode}; it was reading {found or 'nothing'}"])
    return Count(**json.loads(done.stdout.splitlines()[-1]))


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
