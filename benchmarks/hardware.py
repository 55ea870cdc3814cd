"""What every benchmark says about where its numbers come from."""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from deepstdp.environment import hardware, versions
from deepstdp.files import write_json

RESULTS = Path(__file__).parent / "results"
FIGURES = Path(__file__).parent.parent / "docs" / "figures"


def device() -> torch.device:
    """The GPU if there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def save(name: str, results: Any) -> None:
    """Write ``results/<name>.json`` with command, date, versions and hardware, and say so."""
    RESULTS.mkdir(exist_ok=True)
    record = {
        "command": f"python -m {sys.modules['__main__'].__spec__.name} " + " ".join(sys.argv[1:]),
        "date": datetime.now(UTC).date().isoformat(),
        "versions": versions(),
        "hardware": hardware(device()),
        "results": results,
    }
    write_json(RESULTS / f"{name}.json", record)
    print(f"\n{json.dumps(record['hardware'])}\nresults: {RESULTS / name}.json")
