"""How fast whole runs train: every method, this pipeline and a plain one, in one go.

    python -m benchmarks.training --config configs/tiny-imagenet-10-cpu.yaml \
        --data.source tiny-imagenet-200.zip
    python -m benchmarks.training --config configs/tiny-imagenet-10.yaml \
        --data.source tiny-imagenet-200.zip --measured_epochs 200 \
        --precision bf16-mixed --compile true

Any setting of ``deepstdp train`` can be given. Compilation and the first epoch, which warm
everything up, are timed apart; evaluation is left to the end of the run.
"""

import statistics
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import torch
from torch.profiler import ProfilerActivity, profile

from benchmarks.convolutions import learnt_layers, seconds_alone
from benchmarks.hardware import save
from benchmarks.plain_deepcluster import PlainLoop
from deepstdp.config import Config
from deepstdp.config_files import config_parser, parse, to_config
from deepstdp.data import Dataset, load_dataset
from deepstdp.model import build_model
from deepstdp.pipeline import STAGES, Loop
from deepstdp.progress import SILENT, ConsoleProgress
from deepstdp.runtime import Runtime, launch

METHODS = ("stdp", "kmeans", "kmeans-warm", "sinkhorn", "random")
PROFILED_ROWS = 12


def make_loop(config: Config, method: str, dataset: Dataset, runtime: Runtime) -> Loop:
    """A fresh run of a method; a line says so where compilation fails."""
    config = replace(config, clustering=replace(config.clustering, method=method))
    model = build_model(config, dataset.train.images, ConsoleProgress(), runtime=runtime)
    return Loop(config, dataset, model, ConsoleProgress(), Path(tempfile.gettempdir()))


def run(loop: Loop, n_epochs: int) -> dict[str, float]:
    """Seconds: the first epoch, the median of those after it, the final evaluation, and all."""
    start = time.perf_counter()
    loop.learn(1)
    result = {"first epoch, with compilation": time.perf_counter() - start}
    loop.clock.lap()
    start, laps = time.perf_counter(), []
    for epoch in range(2, n_epochs + 2):
        loop.learn(epoch)
        laps.append(loop.clock.lap())
    result["seconds an epoch"] = statistics.median(sum(lap.values()) for lap in laps)
    for stage in STAGES:
        result[f"of which {stage}"] = statistics.median(lap[f"seconds_{stage}"] for lap in laps)
    inner = result["of which reduction"] + result["of which clustering"]
    result["share of reduction, alignment and clustering"] = inner / result["seconds an epoch"]
    evaluation = time.perf_counter()
    loop.measure(loop.n_epochs)
    loop.reassign(measured=True)
    result["final evaluation"] = time.perf_counter() - evaluation
    result[f"{n_epochs} epochs and evaluation"] = time.perf_counter() - start
    return result


def convolution_share(
    loop: Loop, config: Config, dataset: Dataset, repeats: int = 9
) -> dict[str, float]:
    """The rate of convolutions while training against that of the same layers alone.

    Training steps and lone layers take turns, so that both meet the same machine.
    """
    device, training = loop.model.device, config.training
    images = dataset.train.images.to(device)
    assert loop.assignment is not None
    batch = images.take(torch.arange(training.batch_size)).float() / 255
    batch = batch.contiguous(memory_format=torch.channels_last)
    layers = learnt_layers(loop.model.network, batch)
    # Backward passes are two products each, but for the images' gradient.
    flop = sum(2 * layer.macs * (2 if layer.is_first else 3) for layer in layers)
    half = config.precision == "bf16-mixed"
    n_steps = len(images) / training.batch_size
    step, alone = [], []
    for turn in range(repeats):
        alone.append(seconds_alone(layers, torch.bfloat16 if half else torch.float32))
        start = time.perf_counter()
        loop.trainer.epoch(images, loop.assignment.labels, 1_000 + turn)
        step.append((time.perf_counter() - start) / n_steps)
    shares = [a / s for a, s in zip(alone, step, strict=True)]
    return {
        "GFLOP/s while training": flop / statistics.median(step) / 1e9,
        "GFLOP/s of the layers alone": flop / statistics.median(alone) / 1e9,
        "share (median of turns)": statistics.median(shares),
        "smallest share": min(shares),
        "largest share": max(shares),
    }


def plain(config: Config, runtime: Runtime, n_epochs: int, n_workers: int) -> dict[str, float]:
    """The plain loop: the median of some epochs after a first."""
    loop = PlainLoop(config, runtime.device, n_workers)
    start = time.perf_counter()
    loop.epoch(0)
    result = {"first epoch": time.perf_counter() - start}
    epochs = [loop.epoch(1 + number) for number in range(n_epochs)]
    result["seconds an epoch"] = statistics.median(sum(epoch.values()) for epoch in epochs)
    for stage in epochs[0]:
        result[f"of which {stage}"] = statistics.median(epoch[stage] for epoch in epochs)
    return result


def trace(loop: Loop) -> list[dict[str, float | str]]:
    """Where the time of one epoch goes, by operation, from torch's profiler."""
    on_gpu = loop.model.device.type == "cuda"
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_gpu else [])]
    with profile(activities=activities) as profiler:
        loop.learn(2_000)
    averages = profiler.key_averages()
    column = "self_device_time_total" if on_gpu else "self_cpu_time_total"
    total = sum(getattr(row, column) for row in averages)
    rows = sorted(averages, key=lambda row: -getattr(row, column))[:PROFILED_ROWS]
    return [
        {
            "operation": row.key,
            "share": getattr(row, column) / total,
            "seconds": getattr(row, column) / 1e6,
            "calls": row.count,
        }
        for row in rows
    ]


def main() -> None:
    """Measure, print and save."""
    parser = config_parser(prog="python -m benchmarks.training")
    parser.add_argument("--measured_epochs", type=int, default=5)
    parser.add_argument("--plain_epochs", type=int, default=3)
    parser.add_argument("--plain_workers", type=int, default=8)
    parser.add_argument("--name", type=str, default="training")
    args = parse(parser, sys.argv[1:])
    config = to_config(parser, args)
    evaluation = replace(config.evaluation, every=0)
    training = replace(config.training, epochs=args.measured_epochs + 1)
    config = replace(config, evaluation=evaluation, training=training)
    runtime = launch(config)
    dataset = load_dataset(config.data, config.seed, SILENT)
    results: dict[str, object] = {}
    for method in METHODS:
        loop = make_loop(config, method, dataset, runtime)
        results[method] = run(loop, args.measured_epochs)
        show(method, results[method])
        if method == METHODS[0]:
            results["convolutions"] = convolution_share(loop, config, dataset)
            show("convolutions", results["convolutions"])
            results["profile"] = trace(loop)
            for row in results["profile"]:
                print(f"  {row['operation'][:50]:<52}{row['share']:>8.1%}{row['calls']:>8}")
        del loop
    results["plain"] = plain(config, runtime, args.plain_epochs, args.plain_workers)
    show("plain DeepCluster", results["plain"])
    ratios = {
        f"plain / {method}": results["plain"]["seconds an epoch"]
        / results[method]["seconds an epoch"]
        for method in METHODS
    }
    results["ratios"] = ratios
    show("ratios, seconds an epoch", ratios)
    save(args.name, results)


def show(title: str, values: object) -> None:
    """Print a table."""
    print(f"\n{title}")
    assert isinstance(values, dict)
    for name, value in values.items():
        print(f"  {name:<48}{value:>12.4f}", flush=True)


if __name__ == "__main__":
    main()
