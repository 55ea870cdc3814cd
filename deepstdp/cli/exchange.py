"""``deepstdp export`` and ``verify``: files for other software."""

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Literal

from jsonargparse import ArgumentParser, Namespace

from deepstdp.cli.options import (
    add_other_data,
    add_run,
    command_parser,
    from_options,
    open_run,
    other_data,
    require_folder,
)
from deepstdp.config.deployment import ConversionConfig, Reset
from deepstdp.config_files import parse
from deepstdp.deployment.exchange.convnet import SUFFIX, export_onnx, verify_onnx
from deepstdp.deployment.exchange.dialects import DIALECTS, Target
from deepstdp.deployment.exchange.nir_file import read_nir
from deepstdp.deployment.exchange.origin import find_origin
from deepstdp.deployment.exchange.spiking import export_nir, verify_nir
from deepstdp.deployment.readout import LastLayer
from deepstdp.deployment.table import kept_line
from deepstdp.errors import UserError, printable
from deepstdp.progress import ConsoleProgress
from deepstdp.run_dir import RunDir


def export_parser() -> ArgumentParser:
    """Options of ``deepstdp export``."""
    parser = command_parser("export", "runs/photos --target snntorch --out photos.nir")
    add_run(parser, help="a finished run directory")
    parser.add_argument(
        "--target",
        type=Target | Literal["onnx"],
        default="nir",
        help="who is to read it: a simulator, or, with the ConvNet as it is, an ONNX runtime",
    )
    parser.add_argument("--out", type=str, required=True, help="the .nir or .onnx file")
    parser.add_class_arguments(
        ConversionConfig, None, skip={"start", "input", "learn", "multispike", "reset"}
    )
    parser.add_argument("--reset", type=Reset | None, help="default: the one that the target runs")
    parser.add_argument(
        "--last_layer",
        type=LastLayer,
        default="features",
        help="what its last neurons stand for: features, or a neuron for each cluster",
    )
    parser.set_defaults(weight_bits=8)
    add_other_data(parser)
    return parser


def export(parser: ArgumentParser, arguments: Sequence[str]) -> None:
    """Run ``deepstdp export``."""
    args = parse(parser, arguments)
    require_folder("out", args.out)
    out, suffix = Path(args.out), SUFFIX if args.target == "onnx" else ".nir"
    if out.suffix != suffix:
        raise UserError(f"--out must end in {suffix} for --target {args.target}, not be {out.name}")
    run = open_run(args)
    if args.target == "onnx":
        _refuse_conversion(parser, args)
        with ConsoleProgress() as progress:
            hint = export_onnx(run, out, progress)
        print(f"{out}: images in [0, 1] to features and logits; {hint}")
        return
    args.reset = args.reset or DIALECTS[args.target].resets[0]
    config = from_options(ConversionConfig, args)
    with ConsoleProgress() as progress:
        exported = export_nir(
            run, args.target, config, out, progress, other_data(args), args.last_layer
        )
    print(f"{out}: {config.timesteps} steps, {config.reset} reset; {exported.hint}")
    print(kept_line(exported.record))


def _refuse_conversion(parser: ArgumentParser, args: Namespace) -> None:
    """No option that would do nothing."""
    defaults = parser.get_defaults()
    for name in ("last_layer", *(field.name for field in fields(ConversionConfig))):
        if name in args and args[name] != defaults[name]:
            raise UserError(f"--{name} is for spiking networks; onnx takes the ConvNet as it is")
    if given := other_data(args):
        raise UserError(f"--data.{next(iter(given))} is for spiking networks; onnx sees no images")


def verify_parser() -> ArgumentParser:
    """Options of ``deepstdp verify``."""
    parser = command_parser("verify", "photos.nir --run runs/photos")
    parser.add_argument("file", help="what deepstdp export wrote")
    add_run(
        parser,
        "--run",
        type=str | None,
        help="the run that it was exported from (default: one beside FILE or in runs, for NIR)",
    )
    add_other_data(parser)
    return parser


def verify(parser: ArgumentParser, arguments: Sequence[str]) -> int:
    """Run ``deepstdp verify``; the exit code is 1 for a file that is read differently."""
    args = parse(parser, arguments)
    path = Path(args.file)
    check = verify_onnx if path.suffix == SUFFIX else verify_nir
    run = _origin(path, args) if args.run is None else open_run(args)
    with ConsoleProgress() as progress:
        checks = check(path, run, progress, other_data(args))
    for found in checks:
        print(f"{found.name}: {found.line}")
    return int(any(found.failed for found in checks))


def _origin(path: Path, args: Namespace) -> RunDir:
    """The run of a file, which only NIR's metadata name."""
    if path.suffix == SUFFIX:
        raise UserError(f"{path.name} does not say which run it is of: name it with --run RUN")
    run = find_origin(read_nir(path).run, (path.parent, Path("runs")), args.trust_code)
    print(printable(f"run: {run.path}"))
    return run
