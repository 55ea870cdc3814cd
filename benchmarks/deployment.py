"""What conversion costs, over several runs: soft and hard reset, whole numbers, Poisson input.

    python -m benchmarks.deployment RUN ...

Converts every run (seeds of one recipe) in each way of ``WAYS`` and pools what comes out.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from benchmarks.hardware import save
from deepstdp.comparison.statistics import estimate
from deepstdp.config.deployment import ConversionConfig
from deepstdp.deployment.run import convert_and_measure
from deepstdp.deployment.source import Source
from deepstdp.run_dir import RunDir
from deepstdp.tables import markdown_table

WAYS: dict[str, dict[str, Any]] = {
    "soft": {},
    "soft, T = 128": {"timesteps": 128},
    "soft, largest activation": {"scale": "max", "calibrate": False},
    "soft, int8": {"weight_bits": 8},
    "soft, int4": {"weight_bits": 4},
    "soft, Poisson input": {"input": "poisson"},
    "hard": {"reset": "hard"},
    "hard, T = 128": {"reset": "hard", "timesteps": 128},
    "hard, from zero, int8": {"reset": "hard", "start": "zero", "weight_bits": 8},
}


def measure(source: Source, settings: dict[str, Any]) -> dict[str, float]:
    """Convert a run in one way."""
    config = ConversionConfig(**settings)
    record = convert_and_measure(source, config).record
    at = next(p for p in record["curve"] if p["timesteps"] == config.timesteps)
    energy = record["energy"]
    float32 = energy["microjoules"]["float32"]
    return {
        "convnet": 100 * record["linear_probe_accuracy"],
        "points": at["points"]["mean"],
        "same_class": 100 * at["probe_agreement"],
        "cluster_agreement_minus_retest": 100
        * (at["cluster_agreement"] - record["retest_agreement"]),
        "end_to_end_agreement_minus_retest": 100
        * (record["end_to_end"]["agreement"] - record["retest_agreement"]),
        "relative_error": at["relative_error"],
        "synaptic_operations_per_mac": energy["synaptic_operations"] / energy["convnet_macs"],
        "joules_ratio": float32["spiking"] / float32["convnet"],
        "joules_ratio_held": float32["spiking_held"] / float32["convnet"],
    }


def table(ways: dict[str, dict[str, Any]]) -> str:
    """A row a way."""
    header = ("", "ConvNet %", "points", "same class %", "cluster - retest", "end to end - retest")
    header += ("error", "ops/MAC", "J", "J held")
    forms = (
        "{:.1f}",
        "{:+.1f}",
        "{:.1f}",
        "{:+.1f}",
        "{:+.1f}",
        "{:.3f}",
        "{:.2f}",
        "{:.2f}",
        "{:.2f}",
    )
    rows = []
    for name, found in ways.items():
        cells = [cell(value, form) for value, form in zip(found.values(), forms, strict=True)]
        rows.append((name, *cells))
    return "\n".join(markdown_table(header, rows))


def cell(value: Any, form: str) -> str:
    """A mean and its interval, if there is one."""
    text = form.format(value["mean"])
    if value["ci95"] is None:
        return text
    low, high = (form.format(end) for end in value["ci95"])
    return f"{text} [{low}, {high}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("runs", nargs="+", type=Path, help="finished runs, one a seed")
    args = parser.parse_args()
    of_runs: dict[str, list[dict[str, float]]] = {name: [] for name in WAYS}
    for path in args.runs:
        source = Source.open(RunDir.open(path))
        for name, settings in WAYS.items():
            of_runs[name].append(measure(source, settings))
            print(path, name, json.dumps(of_runs[name][-1]), flush=True)
    ways = {
        name: {key: estimate([one[key] for one in found]) for key in found[0]}
        for name, found in of_runs.items()
    }
    print(table(ways))
    save("deployment", {"n_runs": len(args.runs), "settings": WAYS, "ways": ways, "runs": of_runs})


if __name__ == "__main__":
    main()
