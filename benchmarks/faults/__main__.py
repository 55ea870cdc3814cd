"""The campaign: faults of every kind, and a table of what came of them.

python -m benchmarks.faults [--kills 100] [--others 10] [--seed 0] [--only "disk full,..."]
"""

import argparse
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

import numpy as np

from benchmarks.faults.injector import Count, Injector
from benchmarks.faults.kinds import KINDS, full_disk, kill, may_mount
from benchmarks.hardware import save
from deepstdp.tables import markdown_table


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--kills", type=int, default=100, help="processes killed at random moments")
    parser.add_argument("--others", type=int, default=10, help="faults of each other kind")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--only", default=",".join(KINDS), help="kinds, with commas")
    args = parser.parse_args()
    only = args.only.split(",")
    if unknown := set(only) - set(KINDS):
        parser.error(f"--only: no kind {unknown.pop()!r} among {', '.join(KINDS)}")
    counts: dict[str, Count] = {}
    with tempfile.TemporaryDirectory() as folder:
        injector = Injector(Path(folder), np.random.default_rng(args.seed))
        for name in only:
            kind = KINDS[name]
            if kind is full_disk and not may_mount(injector.folder):
                print(f"{name}: left out, this user may not mount", flush=True)
                continue
            counts[name] = kind(injector, args.kills if kind is kill else args.others)
            print(name, asdict(counts[name]), flush=True)
    print(table(counts))
    save(
        "faults" if only == list(KINDS) else "faults-some",
        {name: asdict(count) for name, count in counts.items()},
    )
    return int(any(count.recovered < count.injected for count in counts.values()))


def table(counts: dict[str, Count]) -> str:
    """A row a kind."""
    rows = [
        (name, str(count.injected), str(count.recovered), str(count.bytes_lost))
        for name, count in counts.items()
    ]
    return "\n".join(markdown_table(("fault", "injected", "recovered", "bytes lost"), rows))


if __name__ == "__main__":
    sys.exit(main())
