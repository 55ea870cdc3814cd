"""``deepstdp report``."""

from collections.abc import Sequence
from pathlib import Path

from jsonargparse import ArgumentParser

from deepstdp.cli.options import command_parser, require_folder
from deepstdp.config_files import parse
from deepstdp.progress import ConsoleProgress
from deepstdp.report.page import PAGE, write_report
from deepstdp.report.reading import find_runs


def report_parser() -> ArgumentParser:
    """Options of ``deepstdp report``."""
    parser = command_parser("report", "runs/photos --out photos.html")
    parser.add_argument(
        "runs", nargs="+", help="run directories, finished or not, or the folder of a compare"
    )
    parser.add_argument(
        "--out",
        type=str | None,
        help="file (default: report.html in the folder or, of several, here)",
    )
    return parser


def report(parser: ArgumentParser, arguments: Sequence[str]) -> None:
    """Run ``deepstdp report``."""
    args = parse(parser, arguments)
    require_folder("out", args.out)
    runs = [run for path in args.runs for run in find_runs(Path(path))]
    default = Path(args.runs[0]) / PAGE if len(args.runs) == 1 else PAGE
    with ConsoleProgress() as progress:
        out = write_report(runs, Path(args.out or default), progress)
    print(f"report: {out}")
