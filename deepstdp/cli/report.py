"""``deepstdp report``."""

from collections.abc import Sequence
from pathlib import Path

from jsonargparse import ArgumentParser

from deepstdp.cli.options import command_parser, require_folder
from deepstdp.config_files import parse
from deepstdp.progress import ConsoleProgress
from deepstdp.report.page import PAGE, write_report
from deepstdp.run_dir import RunDir


def report_parser() -> ArgumentParser:
    """Options of ``deepstdp report``."""
    parser = command_parser(
        "report",
        "Write one page of HTML about a run, or about several.",
        "runs/photos --out photos.html",
    )
    parser.add_argument("runs", nargs="+", help="run directories, finished or not")
    parser.add_argument(
        "--out",
        type=str | None,
        help="file (default: report.html in the run; of several, here)",
    )
    return parser


def report(parser: ArgumentParser, arguments: Sequence[str]) -> None:
    """Run ``deepstdp report``."""
    args = parse(parser, arguments)
    require_folder("out", args.out)
    runs = [RunDir.open(Path(path)) for path in args.runs]
    default = runs[0].path / PAGE if len(runs) == 1 else PAGE
    with ConsoleProgress() as progress:
        out = write_report(runs, Path(args.out or default), progress)
    print(f"report: {out}")
