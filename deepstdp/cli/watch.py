"""``deepstdp watch``."""

import time
from collections.abc import Sequence
from pathlib import Path

from jsonargparse import ArgumentParser
from rich.console import Console, RenderableType
from rich.live import Live

from deepstdp.cli.options import command_parser
from deepstdp.comparison.summary import COMPARISON
from deepstdp.config_files import parse
from deepstdp.errors import UserError
from deepstdp.report.reading import find_runs
from deepstdp.report.terminal import draw, draw_all
from deepstdp.run_dir import METRICS


def watch_parser() -> ArgumentParser:
    """Options of ``deepstdp watch``."""
    parser = command_parser("watch", "runs/photos")
    parser.add_argument("run", help="a run directory, or the folder of a compare")
    parser.add_argument("--interval", type=float, default=2.0, help="seconds between two looks")
    parser.add_argument("--once", action="store_true", help="look once, as in a pipe")
    return parser


def watch(parser: ArgumentParser, arguments: Sequence[str]) -> None:
    """Run ``deepstdp watch``: it reads folders alone, from any machine that sees them."""
    args = parse(parser, arguments)
    if args.interval <= 0:
        raise UserError(f"--interval must be above 0, not {args.interval}")
    path, console = Path(args.run), Console()
    if args.once or not console.is_terminal:
        console.print(_drawn(path))
        return
    with Live(_drawn(path), console=console, auto_refresh=False) as live:
        while not _has_ended(path):
            time.sleep(args.interval)
            live.update(_drawn(path), refresh=True)


def _drawn(path: Path) -> RenderableType:
    """Of one run much, of several, which a comparison begins one by one, a line each."""
    runs = find_runs(path)
    return draw(runs[0]) if runs[0].path == path else draw_all(runs)


def _has_ended(path: Path) -> bool:
    """Whether a run has its summary; a comparison, its results after the last epoch of any run."""
    runs = find_runs(path)
    if runs[0].path == path:
        return runs[0].summary() is not None
    results = path / COMPARISON
    return results.exists() and all(
        epochs.stat().st_mtime <= results.stat().st_mtime
        for run in runs
        if (epochs := run.path / METRICS).exists()
    )
