"""Does a clipped ReLU of a few levels help spiking networks of few steps? On scikit-learn's digits.

    python -m benchmarks.few_steps

Trains ``configs/digits.yaml`` with a plain and with a clipped ReLU, five seeds each, and converts
every run for 4, 8 and 16 steps.
"""

import tempfile
from dataclasses import replace
from pathlib import Path

from benchmarks.deployment import cell, measure
from benchmarks.hardware import save
from deepstdp.comparison.statistics import estimate
from deepstdp.config_files import config_parser, parse, to_config
from deepstdp.deployment.source import Source
from deepstdp.files import Record
from deepstdp.runner import run_experiment
from deepstdp.tables import markdown_table

LEVELS, STEPS, SEEDS = (0, 8), (4, 8, 16), range(5)
COLUMNS = {
    "convnet": "{:.1f}",
    "points": "{:+.1f}",
    "cluster_agreement_minus_retest": "{:+.1f}",
    "end_to_end_agreement_minus_retest": "{:+.1f}",
    "relative_error": "{:.3f}",
}
"""What is shown of what ``measure`` finds."""


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
                    runs[-1] |= measure(source, {"timesteps": n_steps})
                    print(runs[-1], flush=True)
    rows, pooled = [], []
    for n_steps in STEPS:
        for levels in LEVELS:
            some = [run for run in runs if (run["levels"], run["T"]) == (levels, n_steps)]
            found = {name: estimate([run[name] for run in some]) for name in COLUMNS}
            pooled.append({"T": n_steps, "levels": levels} | found)
            cells = [cell(found[name], form) for name, form in COLUMNS.items()]
            rows.append((str(n_steps), f"{levels} levels" if levels else "ReLU", *cells))
    header = ("T", "", "ConvNet %", "points", "cluster - retest", "end to end - retest", "error")
    print("\n".join(markdown_table(header, rows)))
    save("few_steps", {"pooled": pooled, "runs": runs})


if __name__ == "__main__":
    main()
