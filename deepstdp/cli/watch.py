"""``deepstdp watch``."""

import math
import time
from collections.abc import Sequence
from pathlib import Path

from jsonargparse import ArgumentParser
from rich.console import Console, RenderableType
from rich.live import Live

from deepstdp.cli.options import command_parser
from deepstdp.comparison.summary import COMPARISON
from deepstdp.comparison.sweep import FAILURES
from deepstdp.config_files import parse
from deepstdp.errors import UserError
from deepstdp.report.reading import RunView, find_runs
from deepstdp.report.terminal import draw, draw_all
from deepstdp.run_dir import CONFIG, METRICS


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
    watched, console = _Watched(Path(args.run)), Console()
    if args.once or not console.is_terminal:
        console.print(watched.drawn())
        return
    with Live(watched.drawn(), console=console, auto_refresh=False) as live:
        while not watched.has_ended():
            time.sleep(args.interval)
            live.update(watched.drawn(), refresh=True)


class _Watched:
    """A run, or the runs of a comparison, which begins one after the other."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._finished: dict[Path, RunView] = {}  # which are not read again

    def drawn(self) -> RenderableType:
        """Of one run much, of several a line each."""
        views = self._views()
        return draw(views[0]) if views[0].path == self._path else draw_all(views)

    def has_ended(self) -> bool:
        """Whether a run has its summary; a comparison, results that are newer than any run."""
        views = self._views()
        if views[0].path == self._path:
            return views[0].summary is not None
        results = max(_changed(self._path / COMPARISON), _changed(self._path / FAILURES))
        return all(_changed(v.path / name) <= results for v in views for name in (CONFIG, METRICS))

    def _views(self) -> list[RunView]:
        found = [self._finished.get(r.path) or RunView.read(r) for r in find_runs(self._path)]
        self._finished |= {view.path: view for view in found if view.summary is not None}
        return found


def _changed(path: Path) -> float:
    """When a file was changed last; long ago, if there is none."""
    return path.stat().st_mtime if path.exists() else -math.inf
