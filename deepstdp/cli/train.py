"""``deepstdp train``."""

from collections.abc import Sequence
from pathlib import Path

from jsonargparse import ArgumentParser

from deepstdp.comparison.table import time_shares
from deepstdp.config_files import config_parser, parse, to_config
from deepstdp.errors import UserError, printable
from deepstdp.files import Record
from deepstdp.launched import is_restarted
from deepstdp.loggers import LoggerName, make_logger
from deepstdp.progress import SILENT, ConsoleProgress
from deepstdp.report.figures import save_run_figures
from deepstdp.report.page import PAGE, write_report
from deepstdp.report.page.verdict import verdict
from deepstdp.report.reading import RunView, group_runs
from deepstdp.run_dir import RunDir
from deepstdp.runner import new_run_dir, run_experiment
from deepstdp.runtime import launch
from deepstdp.tables import duration


def train_parser() -> ArgumentParser:
    """Options of ``deepstdp train``."""
    parser = config_parser(
        prog="deepstdp train",
        epilog="deepstdp train --data.source photos --data.image_size 32 --run_dir runs/photos",
    )
    parser.add_argument("--run_dir", type=str | None, help="folder for the run (default: new)")
    parser.add_argument("--logger", type=LoggerName | None, help="where curves are shown too")
    parser.add_argument("--resume", action="store_true", help="continue the run in run_dir")
    parser.add_argument("--overwrite", action="store_true", help="replace the run in run_dir")
    return parser


def train(parser: ArgumentParser, arguments: Sequence[str]) -> None:
    """Run ``deepstdp train``."""
    args = parse(parser, arguments)
    config = to_config(parser, args)
    if args.resume and (args.run_dir is None or args.overwrite):
        raise UserError("--resume needs the --run_dir to continue, and no --overwrite")
    if args.resume:
        RunDir.open(Path(args.run_dir))
    runtime = launch(config)
    group = runtime.group
    path = group.first(lambda: Path(args.run_dir) if args.run_dir else new_run_dir(config))
    logger = make_logger(args.logger, path) if args.logger and group.is_first else None
    # One that was killed and started again by torchrun or SLURM goes on where it was.
    resume = args.resume or (args.run_dir is not None and is_restarted())
    with ConsoleProgress() if group.is_first else SILENT as progress:
        run = run_experiment(
            config,
            path,
            resume=resume,
            overwrite=args.overwrite and not resume,
            progress=progress,
            runtime=runtime,
            logger=logger,
        )
    if not group.is_first:
        return
    figures = save_run_figures(run)
    summary = run.summary()
    assert summary is not None
    print(_closing(summary))
    print(printable(verdict(group_runs([RunView.read(run)]))[0]))
    if figures:
        print("figures: " + ", ".join(figure.name for figure in figures))
    print(f"run: {path}\nreport: {write_report([run], path / PAGE)}")


def _closing(summary: Record) -> str:
    """Final accuracies beside the untrained network's, and where the time went."""
    final, untrained, seconds = summary["final"], summary["untrained"], summary["seconds"]
    lines = []
    for key, name in (("linear_probe_accuracy", "linear probe"), ("knn_accuracy", "k-NN")):
        if final.get(key) is not None:
            lines.append(f"{name}: {final[key]:.1%} (untrained {untrained[key]:.1%})")
    for key in sorted(final):
        if key.startswith("fine_tuned_accuracy_"):
            share = float(key.rpartition("_")[2])
            lines.append(f"fine-tuned on {share:.2g} of the labels: {final[key]:.1%}")
    if final.get("nmi_labels") is not None:
        lines.append(
            f"clusters after the last epoch: NMI with the labels {final['nmi_labels']:.3f}"
        )
    if summary["n_skipped"]:
        lines.append(f"left out {summary['n_skipped']} files (summary.json names them)")
    spent = duration(summary["wall_seconds"])
    lines.append(f"time, without start and report: {spent} ({time_shares(seconds)})")
    return "\n".join(lines)
