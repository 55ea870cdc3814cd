"""What documents show is run: commands and Python, on data and for epochs cut short."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

from deepstdp.cli import main

ROOT = Path(__file__).parent.parent

SHORT = {
    "train": ["--training.epochs", "1"],
    "compare": ["--training.epochs", "1", "--seeds", "1"],
}
"""What makes commands end soon."""

_SMALL_DATA = ["--data.classes", "first-4", "--clustering.n_clusters", "6"]


def blocks(text: str) -> Iterator[tuple[str, str]]:
    """Kind and content of the blocks that can be run, in their order."""
    yield from re.findall(r"```(console|python)\n(.*?)```", text, re.DOTALL)


def commands(text: str) -> list[str]:
    """The commands of a document, but for those of the Makefile."""
    lines = [
        line for kind, block in blocks(text) if kind == "console" for line in block.split("\n")
    ]
    return [line for line in lines if line.startswith(("deepstdp ", "python -c "))]


def run_command(command: str) -> int:
    """Run one, and return its exit code."""
    arguments = shlex.split(command)[1:]
    if command.startswith("python"):
        exec(arguments[1], {})
        return 0
    extra = SHORT.get(arguments[0], [])
    if "tiny-imagenet-200.zip" in command:
        extra = [*extra, *_SMALL_DATA]
    return main([*arguments, *extra])


def run_python(block: str, name: str) -> None:
    """Run a block of Python."""
    exec(compile(block, name, "exec"), {})
