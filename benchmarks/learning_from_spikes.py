"""What STDP neurons become that go on learning from the spikes of the converted network.

    python -m benchmarks.learning_from_spikes RUN ...

Converts every run (seeds of one recipe) and lets its neurons learn for some passes over the
training images: clusters by spikes from end to end, before and after.
"""

import argparse
import json
from pathlib import Path

from benchmarks.deployment import cell
from benchmarks.hardware import save
from deepstdp.comparison.statistics import estimate
from deepstdp.config.deployment import ConversionConfig
from deepstdp.deployment.run import convert_and_measure
from deepstdp.deployment.source import Source
from deepstdp.run_dir import RunDir
from deepstdp.tables import markdown_table

PASSES = (0, 1, 4)
COLUMNS = {"agreement_minus_retest": "{:+.1f}", "nmi_labels": "{:.3f}", "kept": "{:.1f}"}


def measure(source: Source, n_passes: int) -> dict[str, float]:
    """After so many passes; ``kept`` is the share of images whose cluster is that of before."""
    record = convert_and_measure(source, ConversionConfig(learn=n_passes)).record
    found = record["end_to_end"].get("after_learning", record["end_to_end"] | {"kept": 1.0})
    return {
        "agreement_minus_retest": 100 * (found["agreement"] - record["retest_agreement"]),
        "nmi_labels": found["nmi_labels"],
        "kept": 100 * found["kept"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "runs", nargs="+", type=Path, help="finished runs of labelled images by STDP, one a seed"
    )
    paths = parser.parse_args().runs
    of_runs: dict[int, list[dict[str, float]]] = {n: [] for n in PASSES}
    for path in paths:
        source = Source.open(RunDir.open(path))
        for n_passes, found in of_runs.items():
            found.append(measure(source, n_passes))
            print(path, n_passes, json.dumps(found[-1]), flush=True)
    pooled = {
        n: {key: estimate([one[key] for one in found]) for key in COLUMNS}
        for n, found in of_runs.items()
    }
    rows = [
        (str(n), *(cell(found[key], form) for key, form in COLUMNS.items()))
        for n, found in pooled.items()
    ]
    header = ("passes", "same cluster as the float pipeline, minus retest", "NMI", "kept %")
    print("\n".join(markdown_table(header, rows)))
    save("learning_from_spikes", {"n_runs": len(paths), "pooled": pooled, "runs": of_runs})


if __name__ == "__main__":
    main()
