"""``deepstdp evaluate`` and ``predict``: what a trained run is used for."""

import sys
from collections.abc import Sequence
from pathlib import Path
from textwrap import fill

from jsonargparse import ArgumentParser

from deepstdp.cli.options import (
    OnError,
    add_other_data,
    add_run,
    command_parser,
    open_run,
    other_data,
    require_folder,
)
from deepstdp.config_files import parse
from deepstdp.data.unlabelled import load_unlabelled
from deepstdp.deployment.saved import load_all_spiking
from deepstdp.deployment.source import load_for_spikes
from deepstdp.errors import printable, printable_lines
from deepstdp.evaluation.paired import in_words
from deepstdp.files import labels_csv, write_atomically
from deepstdp.inference import Evaluation
from deepstdp.inference import evaluate as measure
from deepstdp.model import load_model
from deepstdp.progress import ConsoleProgress
from deepstdp.tables import number_table

_WIDTH = 80
"""Of a line of text, at most."""


def evaluate_parser() -> ArgumentParser:
    """Options of ``deepstdp evaluate``."""
    parser = command_parser("evaluate", "runs/photos --data.source other-photos")
    add_run(parser, help="a run directory")
    add_other_data(parser)
    return parser


def evaluate(parser: ArgumentParser, arguments: Sequence[str]) -> None:
    """Run ``deepstdp evaluate``."""
    args = parse(parser, arguments)
    with ConsoleProgress() as progress:
        found = measure(open_run(args), other_data(args), progress)
    print(printable_lines(_evaluation(found)))


def _evaluation(found: Evaluation) -> str:
    """What was measured, of which images, and what of it may be chance."""
    columns, held_out, others = {"trained": found.trained}, found.n_val, found.n_train
    if found.untrained:
        columns["untrained"] = found.untrained
    if "linear_probe_accuracy" in found.trained:
        said = (
            f"{found.source}: accuracies are of {held_out} images that are held out; linear probe "
            f"and k-NN learn from the other {others}, of which all other numbers are."
        )
    else:
        said = (
            f"{found.source}: {others} images, and {held_out} that are held out, have no labels, "
            "so that nothing says what the features are worth."
        )
    lines = [fill(said, _WIDTH, break_long_words=False, break_on_hyphens=False)]
    if found.trained:
        lines.append(number_table(columns))
    for name, points in found.points.items():
        low, high = points["ci95"]
        lines.append(
            f"{name}: {in_words(low, high)} the untrained network, {points['mean']:+.1f} points "
            f"[{low:+.1f}, {high:+.1f}] on the same images; one seed says nothing of others"
        )
    return "\n".join(lines)


def predict_parser() -> ArgumentParser:
    """Options of ``deepstdp predict``."""
    parser = command_parser("predict", "runs/photos new-photos --out new.csv")
    add_run(parser, help="a run directory")
    parser.add_argument("images", nargs="+", help="image files, folders, zips, .npy or .npz")
    parser.add_argument("--out", type=str | None, help="CSV file (default: standard output)")
    parser.add_argument("--data.on_error", type=OnError, default="stop", help="as in train")
    parser.add_argument(
        "--spiking",
        type=str | None,
        help="by spikes alone, through what deepstdp convert left in this folder",
    )
    return parser


def predict(parser: ArgumentParser, arguments: Sequence[str]) -> None:
    """Run ``deepstdp predict``."""
    args = parse(parser, arguments)
    require_folder("out", args.out)
    run = open_run(args)
    load = load_for_spikes if args.spiking else load_model
    model, (channels, height, width) = load(run)
    spiking = load_all_spiking(args.spiking, str(model.device), run) if args.spiking else None
    size = height if height == width else None
    with ConsoleProgress() as progress:
        images, skipped = load_unlabelled(
            [Path(path) for path in args.images], channels, size, args.data.on_error, progress
        )
        stored = images.images.to(model.device)
        if spiking is None:
            labels = model.assign(stored, progress).labels
        else:
            labels = spiking.clusters_of(model.network, stored)
    content = labels_csv("cluster", images.names, labels.cpu().numpy())
    if args.out:
        write_atomically(Path(args.out), content)
    elif sys.stdout.isatty():  # which a name could command
        print(printable_lines(content.decode("utf-8", "surrogateescape").removesuffix("\n")))
    else:
        sys.stdout.buffer.write(content)
    for name in skipped:
        print(f"skipped {printable(name)}: it cannot be decoded", file=sys.stderr)
