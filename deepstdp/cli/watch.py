"""``deepstdp watch``."""

import time
from collections.abc import Sequence
from pathlib import Path

from jsonargparse import ArgumentParser
from rich.console import Console
from rich.live import Live

from deepstdp.cli.options import command_parser
from deepstdp.config_files import parse
from deepstdp.errors import UserError
from deepstdp.report.terminal import draw
from deepstdp.run_dir import RunDir


def watch_parser() -> ArgumentParser:
    """Options of ``deepstdp watch``."""
    parser = command_parser("watch", "Follow a run in the terminal until it ends.", "runs/photos")
    parser.add_argument("run", help="a run directory")
    parser.add_argument("--interval", type=float, default=2.0, help="seconds between two looks")
    parser.add_argument("--once", action="store_true", help="look once, as in a pipe")
    return parser


def watch(parser: ArgumentParser, arguments: Sequence[str]) -> None:
    """Run ``deepstdp watch``: it reads the run's folder alone, from any machine that sees it."""
    args = parse(parser, arguments)
    if args.interval <= 0:
        raise UserError(f"--interval must be above 0, not {args.interval}")
    run, console = RunDir.open(Path(args.run)), Console()
    if args.once or not console.is_terminal:
        console.print(draw(run))
        return
    with Live(draw(run), console=console, auto_refresh=False) as live:
        while run.summary() is None:
            time.sleep(args.interval)
            live.update(draw(run), refresh=True)
