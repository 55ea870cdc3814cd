"""What conversion costs, over several runs: soft and hard reset, whole numbers, Poisson input.

    python -m benchmarks.deployment RUN ...

Converts every run (seeds of one recipe) in each way of ``WAYS`` and pools what comes out.
"""

import argparse
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.hardware import save
from deepstdp.comparison.statistics import estimate
from deepstdp.config.deployment import ConversionConfig
from deepstdp.deployment.run import convert_run
from deepstdp.run_dir import RunDir
from deepstdp.tables import markdown_table

WAYS: dict[str, dict[str, Any]] = {
    "soft": {},
    "soft, T = 128": {"timesteps": 128},
    "soft, from zero": {"start": "zero"},
    "soft, largest activation": {"scale": "max", "calibrate": False},
    "soft, percentile 99.9": {"scale": 99.9, "calibrate": False},
    "soft, int8": {"weight_bits": 8},
    "soft, int4": {"weight_bits": 4},
    "soft, Poisson input": {"input": "poisson"},
    "hard": {"reset": "hard"},
    "hard, T = 128": {"reset": "hard", "timesteps": 128},
    "hard, from zero, int8": {"reset": "hard", "start": "zero", "weight_bits": 8},
}


def convert_all(runs: Sequence[RunDir], settings: dict[str, Any]) -> dict[str, Any]:
    """Convert the runs in one way; means and intervals over them."""
    config = ConversionConfig(**settings)
    points, same, lost, errors, operations, joules = [], [], [], [], [], []
    for run in runs:
        with tempfile.TemporaryDirectory() as folder:
            record = convert_run(run, config, Path(folder))
        at = next(p for p in record["curve"] if p["timesteps"] == config.timesteps)
        points.append(at["points"]["mean"])
        same.append(100 * at["probe_agreement"])
        lost.append(100 * (at["cluster_agreement"] - record["retest_agreement"]))
        errors.append(at["relative_error"])
        energy = record["energy"]
        operations.append(energy["synaptic_operations"] / energy["convnet_macs"])
        float32 = energy["microjoules"]["float32"]
        joules.append([float32[key] / float32["convnet"] for key in ("spiking", "spiking_held")])
    return {
        "settings": settings,
        "points": estimate(points),
        "same_class": estimate(same),
        "cluster_agreement_minus_retest": estimate(lost),
        "relative_error": estimate(errors),
        "synaptic_operations_per_mac": estimate(operations),
        "joules_ratio": estimate([j[0] for j in joules]),
        "joules_ratio_held": estimate([j[1] for j in joules]),
    }


def table(ways: dict[str, dict[str, Any]]) -> str:
    """A row a way."""
    header = ("", "points", "same class %", "cluster - retest", "error", "ops/MAC", "J", "J held")
    forms = ("{:+.1f}", "{:.1f}", "{:+.1f}", "{:.3f}", "{:.2f}", "{:.2f}", "{:.2f}")
    rows = []
    for name, found in ways.items():
        values = [value for key, value in found.items() if key != "settings"]
        cells = [_cell(value, form) for value, form in zip(values, forms, strict=True)]
        rows.append((name, *cells))
    return "\n".join(markdown_table(header, rows))


def _cell(value: Any, form: str) -> str:
    text = form.format(value["mean"])
    if value["ci95"] is None:
        return text
    low, high = (form.format(end) for end in value["ci95"])
    return f"{text} [{low}, {high}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("runs", nargs="+", type=Path, help="finished runs, one a seed")
    args = parser.parse_args()
    runs = [RunDir.open(path) for path in args.runs]
    ways = {}
    for name, settings in WAYS.items():
        ways[name] = convert_all(runs, settings)
        print(name, json.dumps(ways[name]["points"]), flush=True)
    print(table(ways))
    save("deployment", {"n_runs": len(runs), "ways": ways})


if __name__ == "__main__":
    main()
