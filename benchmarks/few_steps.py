"""Does a clipped ReLU of a few levels help spiking networks of few steps? On scikit-learn's digits.

    python -m benchmarks.few_steps

Trains ``configs/digits.yaml`` with a plain and with a clipped ReLU, five seeds each, and converts
every run for 4, 8 and 16 steps.
"""

import tempfile
from dataclasses import replace
from pathlib import Path

from benchmarks.hardware import save
from deepstdp.comparison.statistics import estimate
from deepstdp.config.deployment import ConversionConfig
from deepstdp.config_files import config_parser, parse, to_config
from deepstdp.deployment.run import convert_and_measure
from deepstdp.deployment.source import Source
from deepstdp.files import Record
from deepstdp.runner import run_experiment
from deepstdp.tables import markdown_table

LEVELS, STEPS, SEEDS = (0, 8), (4, 8, 16), range(5)
FORMS = ("{:.1f}", "{:+.1f}", "{:+.1f}", "{:+.1f}", "{:.3f}")
"""Of the columns of ``measure``."""


def measure(source: Source, n_steps: int) -> Record:
    """Convert a run for so many steps."""
    record = convert_and_measure(source, ConversionConfig(timesteps=n_steps)).record
    at = next(point for point in record["curve"] if point["timesteps"] == n_steps)
    retest = record["retest_agreement"]
    return {
        "convnet": 100 * record["linear_probe_accuracy"],
        "points": at["points"]["mean"],
        "cluster_agreement_minus_retest": 100 * (at["cluster_agreement"] - retest),
        "end_to_end_agreement_minus_retest": 100 * (record["end_to_end"]["agreement"] - retest),
        "relative_error": at["relative_error"],
    }


def main() -> None:
    parser = config_parser()
    digits = to_config(parser, parse(parser, ["--config", "configs/digits.yaml"]))
    runs: list[Record] = []
    with tempfile.TemporaryDirectory() as folder:
        for levels in LEVELS:
            for seed in SEEDS:
                backbone = replace(digits.backbone, levels=levels)
                config = replace(digits, backbone=backbone, seed=seed)
                run = run_experiment(config, Path(folder) / f"{levels}-{seed}")
                source = Source.open(run)
                for n_steps in STEPS:
                    runs.append({"levels": levels, "seed": seed, "T": n_steps})
                    runs[-1] |= measure(source, n_steps)
                    print(runs[-1], flush=True)
    names = [name for name in runs[0] if name not in ("levels", "seed", "T")]
    rows, pooled = [], []
    for n_steps in STEPS:
        for levels in LEVELS:
            some = [run for run in runs if (run["levels"], run["T"]) == (levels, n_steps)]
            found = {name: estimate([run[name] for run in some]) for name in names}
            pooled.append({"T": n_steps, "levels": levels} | found)
            cells = [_cell(found[name], form) for name, form in zip(names, FORMS, strict=True)]
            rows.append((str(n_steps), f"{levels} levels" if levels else "ReLU", *cells))
    header = ("T", "", "ConvNet %", "points", "cluster - retest", "end to end - retest", "error")
    print("\n".join(markdown_table(header, rows)))
    save("few_steps", {"pooled": pooled, "runs": runs})


def _cell(value: Record, form: str) -> str:
    mean, low, high = (form.format(x) for x in (value["mean"], *value["ci95"]))
    return f"{mean} [{low}, {high}]"


if __name__ == "__main__":
    main()
