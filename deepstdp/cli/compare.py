"""``deepstdp compare``."""

import sys
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

from jsonargparse import ArgumentParser

from deepstdp.cli.options import from_options, hide
from deepstdp.comparison.pool import Execution
from deepstdp.comparison.summary import COMPARISON, summarise
from deepstdp.comparison.sweep import Sweep, run_trials
from deepstdp.comparison.table import markdown, method_time_shares
from deepstdp.comparison.trials import UNTRAINED, method_variants, parse_methods
from deepstdp.config_files import config_parser, parse, to_config
from deepstdp.errors import UserError
from deepstdp.files import write_atomically
from deepstdp.progress import ConsoleProgress
from deepstdp.report.figures import save_comparison_figure, save_run_figures
from deepstdp.report.page import PAGE, write_report


def compare_parser() -> ArgumentParser:
    """Options of ``deepstdp compare``."""
    parser = config_parser(
        prog="deepstdp compare",
        epilog="deepstdp compare --methods stdp,kmeans --seeds 3 --out runs/compared",
    )
    parser.add_argument(
        "--methods", default="untrained,kmeans,kmeans-warm,stdp", help="clusterers, with commas"
    )
    parser.add_argument("--seeds", type=int, default=3, help="number of seeds, from --seed on")
    parser.add_argument("--out", required=True, help="folder for all runs and the comparison")
    parser.add_class_arguments(Execution, None)
    hide(parser, "--clustering.method")  # each of --methods in turn
    return parser


def compare(parser: ArgumentParser, arguments: Sequence[str]) -> int:
    """Run ``deepstdp compare``."""
    args = parse(parser, arguments)
    config, methods, out = to_config(parser, args), parse_methods(args.methods), Path(args.out)
    if args.seeds < 1:
        raise UserError(f"--seeds must be at least 1, not {args.seeds}")
    execution = from_options(Execution, args)
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
    runs = list(chain.from_iterable(sweep.runs.values()))
    for run in runs:
        save_run_figures(run)
    missing = [failure.trial.key for failure in sweep.failures]
    comparison = summarise(sweep.runs, sweep.seeds, out, missing)
    table = markdown(comparison)
    write_atomically(out / "comparison.md", (table + "\n").encode())
    untrained = comparison["methods"].get(UNTRAINED) or comparison["methods"]["none"]
    levels = {k: v["mean"] for k, v in untrained.items() if isinstance(v, dict)}
    figure = save_comparison_figure(sweep.runs, levels, out)
    print(f"\n{table}\n\n{method_time_shares(comparison)}")
    page = write_report(runs, out / PAGE)
    print(f"figure: {figure}\ncomparison: {out / COMPARISON}\nruns: {out}\nreport: {page}")
