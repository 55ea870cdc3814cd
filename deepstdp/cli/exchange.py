"""``deepstdp export`` and ``verify``: files for other simulators."""

from collections.abc import Sequence
from pathlib import Path

from jsonargparse import ArgumentParser

from deepstdp.cli.options import command_parser, from_options, require_folder
from deepstdp.config.deployment import ConversionConfig, Reset
from deepstdp.config_files import parse
from deepstdp.deployment.exchange.dialects import DIALECTS, Target
from deepstdp.deployment.exchange.spiking import Check, export_run, verify_file
from deepstdp.progress import ConsoleProgress
from deepstdp.run_dir import RunDir


def export_parser() -> ArgumentParser:
    """Options of ``deepstdp export``."""
    parser = command_parser("export", "Write a trained run as NIR, for a simulator or a chip.")
    parser.add_argument("run", help="a finished run directory")
    parser.add_argument("--target", type=Target, default="nir", help="who is to read it")
    parser.add_argument("--out", type=str, required=True, help="the .nir file")
    parser.add_class_arguments(
        ConversionConfig, None, skip={"start", "input", "learn", "multispike", "reset"}
    )
    parser.add_argument("--reset", type=Reset | None, help="default: the one that the target runs")
    parser.set_defaults(weight_bits=8)
    return parser


def export(parser: ArgumentParser, arguments: Sequence[str]) -> None:
    """Run ``deepstdp export``."""
    args = parse(parser, arguments)
    require_folder("out", args.out)
    args.reset = args.reset or DIALECTS[args.target].resets[0]
    config = from_options(ConversionConfig, args)
    with ConsoleProgress() as progress:
        hint = export_run(
            RunDir.open(Path(args.run)), args.target, config, Path(args.out), progress
        )
    print(f"{args.out}: {config.timesteps} steps, {config.reset} reset; {hint}")


def verify_parser() -> ArgumentParser:
    """Options of ``deepstdp verify``."""
    parser = command_parser("verify", "Replay a run's validation images through an exported file.")
    parser.add_argument("file", help="what deepstdp export wrote")
    parser.add_argument("--run", required=True, help="the run that it was exported from")
    return parser


def verify(parser: ArgumentParser, arguments: Sequence[str]) -> int:
    """Run ``deepstdp verify``; the exit code is 1 for a file that is read differently."""
    args = parse(parser, arguments)
    with ConsoleProgress() as progress:
        checks = verify_file(Path(args.file), RunDir.open(Path(args.run)), progress)
    for check in checks:
        print(_line(check))
    return int(any(check.failed for check in checks))


def _line(check: Check) -> str:
    if check.n_wrong is None:
        return f"{check.name}: {check.reason}"
    difference = f", by {check.largest} at most" if check.n_wrong else ""
    return f"{check.name}: {check.n_wrong:,} of {check.n:,} spike counts differ{difference}"
