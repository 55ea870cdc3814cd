"""``deepstdp download``."""

from collections.abc import Sequence
from pathlib import Path

from jsonargparse import ArgumentParser

from deepstdp.cli.options import command_parser
from deepstdp.config_files import parse
from deepstdp.data.download import ARCHIVES
from deepstdp.data.download import download as fetch
from deepstdp.errors import UserError
from deepstdp.progress import ConsoleProgress


def download_parser() -> ArgumentParser:
    """Options of ``deepstdp download``."""
    parser = command_parser("download", "tiny-imagenet-200")
    parser.add_argument("name", help=", ".join(ARCHIVES))
    parser.add_argument("--folder", default=".", help="where to")
    return parser


def download(parser: ArgumentParser, arguments: Sequence[str]) -> None:
    """Run ``deepstdp download``."""
    args = parse(parser, arguments)
    if args.name not in ARCHIVES:
        raise UserError(f"there is no archive {args.name}, only {', '.join(ARCHIVES)}")
    archive = ARCHIVES[args.name]
    print(f"{archive.url}\nimages under {archive.terms}", flush=True)
    with ConsoleProgress() as progress:
        path = fetch(archive, Path(args.folder), progress)
    print(f"{path}: whole; train with --data.source {path}")
