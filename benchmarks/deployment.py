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
from deepstdp.deployment.energy import cheapest_arithmetic
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
    """Convert a run in one way; whole numbers are priced as such, in both networks."""
    config = ConversionConfig(**settings)
    record = convert_and_measure(source, config).record
    at = next(p for p in record["curve"] if p["timesteps"] == config.timesteps)
    energy = record["energy"]
    joules, after = energy["microjoules"][cheapest_arithmetic(energy)], record["end_to_end"]
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
        "joules_ratio": joules["spiking"] / joules["convnet"],
        "joules_ratio_held": joules["spiking_held"] / joules["convnet"],
        **{f"microjoules_{key}": value for key, value in after["microjoules"].items()},
        "gained": at["points"]["gained"],
        "lost": at["points"]["lost"],
    }


COLUMNS = {
    "convnet": ("ConvNet %", "{:.1f}"),
    "points": ("points", "{:+.1f}"),
    "same_class": ("same class %", "{:.1f}"),
    "cluster_agreement_minus_retest": ("cluster - retest", "{:+.1f}"),
    "end_to_end_agreement_minus_retest": ("end to end - retest", "{:+.1f}"),
    "relative_error": ("error", "{:.3f}"),
    "synaptic_operations_per_mac": ("ops/MAC", "{:.2f}"),
    "joules_ratio": ("J", "{:.2f}"),
    "joules_ratio_held": ("J held", "{:.2f}"),
    "microjoules_reduction": ("uJ reduction", "{:.2f}"),
    "microjoules_float_reduction": ("float", "{:.2f}"),
    "microjoules_clustering": ("uJ neurons", "{:.3f}"),
    "gained": ("gained", "{:.1f}"),
    "lost": ("lost", "{:.1f}"),
}
"""What is shown of what ``measure`` finds."""


def table(ways: dict[str, dict[str, Any]]) -> str:
    """A row a way."""
    header = ("", *(title for title, _ in COLUMNS.values()))
    rows = [
        (name, *(cell(found[key], form) for key, (_, form) in COLUMNS.items()))
        for name, found in ways.items()
    ]
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
