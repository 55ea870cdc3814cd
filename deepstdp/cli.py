"""The command line: parses, calls, prints. No logic of its own."""

import sys
import warnings
from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Literal

from jsonargparse import ArgumentParser, Namespace

from deepstdp.cluster_features import cluster_with_kmeans, cluster_with_stdp, quality_table
from deepstdp.clustering import STDPClustering
from deepstdp.clustering.stdp.estimator import SETTINGS
from deepstdp.comparison.pool import Execution
from deepstdp.comparison.summary import summarise
from deepstdp.comparison.sweep import Sweep, run_trials
from deepstdp.comparison.table import markdown, method_time_shares, time_shares
from deepstdp.comparison.trials import UNTRAINED, method_variants, parse_methods
from deepstdp.config import Config, STDPConfig
from deepstdp.config_files import config_parser, parse, to_config
from deepstdp.data.feature_file import read_features
from deepstdp.data.unlabelled import load_unlabelled
from deepstdp.errors import UserError
from deepstdp.files import Record, labels_csv, write_atomically
from deepstdp.inference import evaluate
from deepstdp.model import load_model
from deepstdp.progress import SILENT, ConsoleProgress
from deepstdp.report.figures import save_comparison_figure, save_run_figures
from deepstdp.run_dir import RunDir
from deepstdp.runner import run_experiment
from deepstdp.runtime import is_first_process, launch

OnError = Literal["stop", "skip"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; the exit code is 2 for what the user can mend."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    try:
        return _dispatch(arguments)
    except UserError as error:
        if is_first_process() or not error.is_shared:
            print(f"deepstdp: error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        what = f"{error.filename}: " if error.filename else ""
        print(f"deepstdp: error: {what}{error.strerror or error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("deepstdp: interrupted", file=sys.stderr)
        return 130


def _dispatch(arguments: Sequence[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_overview())
        return 0 if arguments else 2
    name, rest = arguments[0], arguments[1:]
    if name not in COMMANDS:
        raise UserError(f"unknown command '{name}': there are {', '.join(COMMANDS)}")
    make_parser, command = COMMANDS[name]
    parser = make_parser()
    return command(parser, parse(parser, rest)) or 0


def _overview() -> str:
    lines = ["usage: deepstdp COMMAND [options]", "", "commands:"]
    lines += [f"  {name:<9} {make().description}" for name, (make, _) in COMMANDS.items()]
    return "\n".join([*lines, "", "deepstdp COMMAND --help shows its options."])


def _train_parser() -> ArgumentParser:
    parser = config_parser(
        prog="deepstdp train", description="Train a network on pseudo-labels from STDP."
    )
    parser.add_argument("--run_dir", type=str | None, help="folder for the run (default: new)")
    parser.add_argument("--resume", action="store_true", help="continue the run in run_dir")
    parser.add_argument("--overwrite", action="store_true", help="replace the run in run_dir")
    return parser


def _train(parser: ArgumentParser, args: Namespace) -> None:
    config = to_config(parser, args)
    if args.resume and (args.run_dir is None or args.overwrite):
        raise UserError("--resume needs the --run_dir to continue, and no --overwrite")
    if args.resume:
        RunDir.open(Path(args.run_dir))
    runtime = launch(config)
    group = runtime.group
    path = group.first(lambda: Path(args.run_dir) if args.run_dir else _new_run_dir(config))
    with ConsoleProgress() if group.is_first else SILENT as progress:
        run = run_experiment(
            config,
            path,
            resume=args.resume,
            overwrite=args.overwrite,
            progress=progress,
            runtime=runtime,
        )
    if not group.is_first:
        return
    figures = save_run_figures(run)
    summary = run.summary()
    assert summary is not None
    print(_closing(summary))
    if figures:
        print("figures: " + ", ".join(figure.name for figure in figures))
    print(f"run: {path}")


def _compare_parser() -> ArgumentParser:
    parser = config_parser(
        prog="deepstdp compare",
        description="Train one recipe with several clusterers and seeds, and compare.",
    )
    parser.add_argument(
        "--methods", default="untrained,kmeans,kmeans-warm,stdp", help="clusterers, with commas"
    )
    parser.add_argument("--seeds", type=int, default=3, help="number of seeds, from --seed on")
    parser.add_argument("--out", required=True, help="folder for all runs and the comparison")
    parser.add_class_arguments(Execution, None)
    return parser


def _compare(parser: ArgumentParser, args: Namespace) -> int:
    config, methods, out = to_config(parser, args), parse_methods(args.methods), Path(args.out)
    if args.seeds < 1:
        raise UserError(f"--seeds must be at least 1, not {args.seeds}")
    execution = Execution(args.workers, args.executor, args.retries)
    seeds = range(config.seed, config.seed + args.seeds)
    with ConsoleProgress() as progress:
        sweep = run_trials(method_variants(config, methods), seeds, out, execution, progress)
    for failure in sweep.failures:
        print(f"failed: {failure}", file=sys.stderr)
    if sweep.seeds:
        _print_comparison(sweep, out)
    else:
        print(
            "deepstdp: error: every seed lacks a trial: nothing to compare; the same command "
            f"runs again what failed, {out / 'failures.json'} says why",
            file=sys.stderr,
        )
    return 1 if sweep.failures else 0


def _print_comparison(sweep: Sweep, out: Path) -> None:
    for run in chain.from_iterable(sweep.runs.values()):
        save_run_figures(run)
    missing = [failure.trial.key for failure in sweep.failures]
    comparison = summarise(sweep.runs, sweep.seeds, out, missing)
    table = markdown(comparison)
    write_atomically(out / "comparison.md", (table + "\n").encode())
    untrained = comparison["methods"].get(UNTRAINED) or comparison["methods"]["none"]
    levels = {k: v["mean"] for k, v in untrained.items() if isinstance(v, dict)}
    figure = save_comparison_figure(sweep.runs, levels, out)
    print(f"\n{table}\n\n{method_time_shares(comparison)}")
    print(f"figure: {figure}\ncomparison: {out / 'comparison.json'}\nruns: {out}")


def _evaluate_parser() -> ArgumentParser:
    parser = ArgumentParser(
        exit_on_error=False,
        prog="deepstdp evaluate",
        description="Measure a trained run on its own or on other images.",
    )
    parser.add_argument("run", help="a run directory")
    parser.add_argument("--data.source", type=str | None, help="other images (default: the run's)")
    parser.add_argument("--data.classes", type=str | list[str] | None, help="as in train")
    parser.add_argument("--data.on_error", type=OnError | None, help="as in train")
    return parser


def _evaluate(parser: ArgumentParser, args: Namespace) -> None:
    overrides = {k: v for k, v in vars(args.data).items() if v is not None}
    with ConsoleProgress() as progress:
        metrics = evaluate(RunDir.open(Path(args.run)), overrides, progress)
    for name, value in metrics.items():
        print(f"{name}: {value:.4f}" if isinstance(value, float) else f"{name}: {value}")


def _predict_parser() -> ArgumentParser:
    parser = ArgumentParser(
        exit_on_error=False,
        prog="deepstdp predict",
        description="Print the cluster of each image as CSV.",
    )
    parser.add_argument("run", help="a run directory")
    parser.add_argument("images", nargs="+", help="image files, folders, zips, .npy or .npz")
    parser.add_argument("--out", type=str | None, help="CSV file (default: standard output)")
    parser.add_argument("--on_error", type=OnError, default="stop", help="skip what is no image")
    return parser


def _predict(parser: ArgumentParser, args: Namespace) -> None:
    _require_folder("out", args.out)
    model, (channels, height, width) = load_model(RunDir.open(Path(args.run)))
    size = height if height == width else None
    with ConsoleProgress() as progress:
        images, skipped = load_unlabelled(
            [Path(path) for path in args.images], channels, size, args.on_error, progress
        )
        labels = model.assign(images.images.to(model.device), progress).labels.cpu().numpy()
    content = labels_csv("cluster", images.names, labels)
    if args.out:
        write_atomically(Path(args.out), content)
    else:
        sys.stdout.buffer.write(content)
    for name in skipped:
        print(f"skipped {name}: not an image", file=sys.stderr)


def _new_run_dir(config: Config) -> Path:
    source = Path(config.data.source).stem
    method = config.clustering.class_path or config.clustering.method
    return Path("runs") / f"{source}-{method}-{datetime.now():%Y%m%d-%H%M%S}"


def _closing(summary: Record) -> str:
    """Final accuracies beside the untrained network's, and where the time went."""
    final, untrained, seconds = summary["final"], summary["untrained"], summary["seconds"]
    lines = []
    for key, name in (("linear_probe_accuracy", "linear probe"), ("knn_accuracy", "k-NN")):
        if final.get(key) is not None:
            lines.append(f"{name}: {final[key]:.1%} (untrained {untrained[key]:.1%})")
    if summary["n_skipped"]:
        lines.append(f"left out {summary['n_skipped']} files (summary.json names them)")
    lines.append(f"time: {summary['wall_seconds']:.0f} s ({time_shares(seconds)})")
    return "\n".join(lines)


def _cluster_parser() -> ArgumentParser:
    parser = ArgumentParser(
        exit_on_error=False,
        prog="deepstdp cluster",
        description="Cluster a file of features by STDP; no network is trained.",
    )
    parser.add_argument(
        "features", help=".npy, .npz or .csv of (N, P) features or (N, T, D) spikes"
    )
    parser.add_argument("--n_clusters", type=int, default=8, help="number of clusters (K)")
    parser.add_argument("--max_iter", type=int, default=10, help="passes over the samples")
    parser.add_argument("--seed", type=int, default=0, help="of all random numbers")
    parser.add_argument("--labels", type=str | None, help="file of true labels, for the summary")
    parser.add_argument("--compare", type=Literal["kmeans"] | None, help="also cluster by k-means")
    parser.add_argument("--out", type=str | None, help="CSV file for the clusters")
    parser.add_argument("--model", type=str | None, help="file to save the estimator to")
    parser.add_class_arguments(STDPConfig, "stdp", skip={"n_passes", "persistent"})
    return parser


def _cluster(parser: ArgumentParser, args: Namespace) -> None:
    for option in ("out", "model"):
        _require_folder(option, getattr(args, option))
    if not 0 <= args.seed < 2**32:
        raise UserError(f"--seed must lie between 0 and 2**32 - 1, not {args.seed}")
    data = read_features(Path(args.features), Path(args.labels) if args.labels else None)
    if args.compare and data.features.ndim != 2:
        raise UserError("k-means takes features, not spikes: leave --compare out")
    settings = {name: getattr(args.stdp, name) for name in SETTINGS}
    estimator = STDPClustering(
        args.n_clusters, max_iter=args.max_iter, random_state=args.seed, **settings
    )
    with ConsoleProgress() as progress, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        clusters, quality = cluster_with_stdp(data, estimator, progress)
        columns = {"stdp": quality}
        if args.compare:
            with progress.busy("k-means"):
                columns["kmeans"] = cluster_with_kmeans(data, args.n_clusters, args.seed)[1]
    print(quality_table(columns))
    for warning in caught:
        print(f"warning: {warning.message}", file=sys.stderr)
    if args.out:
        names = map(str, range(len(clusters)))
        write_atomically(Path(args.out), labels_csv("cluster", names, clusters, key="sample"))
        print(f"clusters: {args.out}")
    if args.model:
        estimator.save(args.model)
        print(f"estimator: {args.model}")


def _require_folder(option: str, path: str | None) -> None:
    if path and not Path(path).absolute().parent.is_dir():
        raise UserError(f"--{option}: there is no folder {Path(path).parent}")


# A command returns its exit code; None is 0.
Command = tuple[Callable[[], ArgumentParser], Callable[[ArgumentParser, Namespace], int | None]]
COMMANDS: dict[str, Command] = {
    "train": (_train_parser, _train),
    "compare": (_compare_parser, _compare),
    "evaluate": (_evaluate_parser, _evaluate),
    "predict": (_predict_parser, _predict),
    "cluster": (_cluster_parser, _cluster),
}
