"""``deepstdp convert``."""

from collections.abc import Sequence
from pathlib import Path

from jsonargparse import ArgumentParser

from deepstdp.cli.options import (
    add_other_data,
    add_run,
    command_parser,
    from_options,
    open_run,
    other_data,
)
from deepstdp.config.deployment import ConversionConfig
from deepstdp.config_files import parse
from deepstdp.deployment.run import convert_run
from deepstdp.deployment.table import conversion_tables
from deepstdp.progress import ConsoleProgress
from deepstdp.report.deployment_figures import save_conversion_figure


def convert_parser() -> ArgumentParser:
    """Options of ``deepstdp convert``."""
    parser = command_parser("convert", "runs/photos --timesteps 32")
    add_run(parser, help="a finished run directory")
    parser.add_argument("--out", type=str | None, help="folder (default: spiking, in the run)")
    parser.add_class_arguments(ConversionConfig, None)
    add_other_data(parser)
    return parser


def convert(parser: ArgumentParser, arguments: Sequence[str]) -> None:
    """Run ``deepstdp convert``."""
    args = parse(parser, arguments)
    run = open_run(args)
    out = Path(args.out) if args.out else run.path / "spiking"
    config = from_options(ConversionConfig, args)
    with ConsoleProgress() as progress:
        record = convert_run(run, config, out, progress, other_data(args))
    save_conversion_figure(record, out)
    print(conversion_tables(record))
    print(f"\nspiking network: {out}")
    if not args.out:
        print(f"to see it: deepstdp report {run.path}")
