"""What it costs to fit the components to a sample, or by iteration, and how fast that is.

    python -m benchmarks.reduction --config configs/tiny-imagenet-10-cpu.yaml \
        --data.source tiny-imagenet-200.zip --data.classes all

Features of all images by the untrained network; then of a network that learns, where subspace
iteration must follow from epoch to epoch.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch

from benchmarks.hardware import save
from deepstdp.config import Config
from deepstdp.config_files import config_parser, parse, to_config
from deepstdp.data import load_dataset
from deepstdp.features import held_rows
from deepstdp.features.whitening import Whitening, exact_whitening, subspace_whitening
from deepstdp.model import build_model
from deepstdp.pipeline import Loop
from deepstdp.progress import SILENT

SAMPLES = (1_000, 2_000, 5_000, 10_000, 20_000, 50_000)
FOLLOWED_EPOCHS = 10


def captured(features: torch.Tensor, basis: torch.Tensor) -> float:
    """Share of the variance of all rows that lies in the span of a basis."""
    mean = features.double().mean(dim=0).to(features)
    total = inside = 0.0
    for part in features.split(10_000):
        centred = part - mean
        total += centred.square().sum().item()
        inside += (centred @ basis).square().sum().item()
    return inside / total


def timed(fit: Callable[[], Whitening]) -> tuple[Whitening, float]:
    """A fit, and its seconds."""
    start = time.perf_counter()
    fitted = fit()
    return fitted, time.perf_counter() - start


def by_sample(config: Config) -> dict[str, dict[str, float]]:
    """Variance of all features that components fitted to a sample hold, against a full PCA."""
    dataset = load_dataset(config.data, config.seed, SILENT)
    model = build_model(config, dataset.train.images)
    features, p = model.features(dataset.train.images), config.reduction.n_components
    full, seconds = timed(lambda: exact_whitening(features, p))
    best = captured(features, full.basis)
    n, d = features.shape
    rows = {"all, exact": {"n": n, "d": d, "p": p, "captured": best, "seconds": seconds}}
    for size in (size for size in SAMPLES if size < n):
        some = features[torch.from_numpy(held_rows(n, size, config.seed))]
        iterations = config.reduction.n_iterations
        for solver, fit in {
            "exact": lambda x=some: exact_whitening(x, p),
            "subspace": lambda x=some, m=iterations: subspace_whitening(x, p, m),
        }.items():
            fitted, seconds = timed(fit)
            share = captured(features, fitted.basis)
            rows[f"{size}, {solver}"] = {
                "n": size,
                "captured": share,
                "relative error": 1 - share / best,
                "seconds": seconds,
            }
    return rows


def by_epoch(config: Config) -> list[dict[str, float]]:
    """Variance that warm-started iteration holds while a network learns, against exact PCA."""
    config = replace(
        config,
        data=replace(config.data, classes="first-10"),
        reduction=replace(config.reduction, solver="subspace"),
        training=replace(config.training, epochs=FOLLOWED_EPOCHS),
        evaluation=replace(config.evaluation, every=0),
    )
    dataset = load_dataset(config.data, config.seed, SILENT)
    model = build_model(config, dataset.train.images)
    loop = Loop(config, dataset, model, SILENT, Path(tempfile.gettempdir()))
    rows, p, basis = [], config.reduction.n_components, None
    for epoch in range(1, FOLLOWED_EPOCHS + 1):
        features = loop.features("train")
        exact, exact_seconds = timed(lambda x=features: exact_whitening(x, p))
        warm, seconds = timed(
            lambda x=features, b=basis: subspace_whitening(x, p, config.reduction.n_iterations, b)
        )
        basis = warm.basis
        row = {
            "epoch": epoch,
            "relative error": 1 - warm.explained_variance / exact.explained_variance,
            "seconds": seconds,
            "seconds of exact": exact_seconds,
        }
        rows.append(row)
        print("  ".join(f"{name} {value:.5f}" for name, value in row.items()), flush=True)
        loop.learn(epoch)
    return rows


def main() -> None:
    """Measure, print and save."""
    parser = config_parser(prog="python -m benchmarks.reduction")
    config = to_config(parser, parse(parser, sys.argv[1:]))
    sample = by_sample(config)
    for name, row in sample.items():
        print(f"{name:<20}" + "  ".join(f"{key} {value:.5f}" for key, value in row.items()))
    save("reduction", {"by sample": sample, "by epoch": by_epoch(config)})


if __name__ == "__main__":
    main()
