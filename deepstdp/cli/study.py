"""``deepstdp study``."""

import sys
from collections.abc import Sequence
from pathlib import Path

from jsonargparse import ArgumentParser

from deepstdp.cli.options import from_options, hide
from deepstdp.comparison.pool import Execution
from deepstdp.comparison.table import markdown
from deepstdp.config_files import config_parser, parse
from deepstdp.errors import UserError, kind_and_line, printable_lines
from deepstdp.files import MISFITS, Record, write_atomically
from deepstdp.progress import ConsoleProgress
from deepstdp.report.study_figures import save_study_figures
from deepstdp.study.reading import overrides_of, read_study
from deepstdp.study.results import read_results
from deepstdp.study.run import run_study
from deepstdp.study.table import subsets_table

_OWN = ("out", "workers", "executor", "retries", "trust_code")


def study_parser() -> ArgumentParser:
    """Options of ``deepstdp study``."""
    parser = config_parser(
        prog="deepstdp study",
        epilog="deepstdp study studies/digits.yaml --workers 2 --out runs/study-digits",
    )
    parser.add_argument("study", help="a study (.yaml), or the results of one (.json)")
    parser.add_argument("--out", required=True, help="folder for all runs, results and figures")
    parser.add_class_arguments(Execution, None)
    hide(parser, "--config", "--seed", "--clustering.method")  # which the study says itself
    return parser


def study(parser: ArgumentParser, arguments: Sequence[str]) -> int:
    """Run ``deepstdp study``."""
    args = parse(parser, arguments)
    if args.config:
        raise UserError("a study names its recipe itself: leave --config out")
    path, out = Path(args.study), Path(args.out)
    overrides = overrides_of(arguments, _OWN)
    if "clustering.method" in overrides:
        raise UserError("the variants of a study say clustering.method themselves: leave it out")
    if path.suffix == ".json":
        if overrides:
            raise UserError(f"{path} holds results: --{next(iter(overrides))} cannot change them")
        _show_file(path, out)
        return 0
    planned = read_study(path, overrides, args.trust_code)
    execution = from_options(Execution, args)
    command = " ".join(["deepstdp study", *arguments])
    with ConsoleProgress() as progress:
        record, failures = run_study(planned, out, execution, progress, command)
    for failure in failures:
        print(f"failed: {failure}", file=sys.stderr)
    _show(record, out)
    print(f"results: {out / (record['name'] + '.json')}\nruns: {out}")
    return 1 if failures else 0


def _show_file(path: Path, out: Path) -> None:
    """``_show`` what a file of results holds, which may be a stranger's.

    Raises:
        UserError: it holds other things than results do.
    """
    record = read_results(path)
    try:
        _show(record, out)
    except UserError:
        raise
    except (*MISFITS, ArithmeticError) as error:
        raise UserError(f"{path} is damaged ({kind_and_line(error)})") from None


def _show(record: Record, out: Path) -> None:
    """Print the tables, and leave them and the figures in ``out``."""
    out.mkdir(parents=True, exist_ok=True)
    for name, subset in record["subsets"].items():
        table = markdown(subset["comparison"])
        write_atomically(out / f"{record['name']}-{name}.md", (table + "\n").encode())
        print(printable_lines(f"\n{record['title']}: {name}\n\n{table}"))
    if over_subsets := subsets_table(record):
        write_atomically(out / f"{record['name']}-subsets.md", (over_subsets + "\n").encode())
        print(printable_lines(f"\nOver subsets of classes\n\n{over_subsets}"))
    figures = save_study_figures(record, out)
    print("\nfigures: " + ", ".join(str(figure) for figure in figures))
