"""The commands there are. One is imported when it is called, as what they need takes seconds."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from jsonargparse import ArgumentParser


@dataclass(frozen=True)
class Command:
    """One command, ``deepstdp NAME``.

    Attributes:
        name: ``<name>_parser`` and ``<name>`` are the functions that make it.
        module: where they are, in this package.
        summary: what it is for, in a sentence.
    """

    name: str
    module: str
    summary: str

    def parser(self) -> ArgumentParser:
        """Its options."""
        parser: ArgumentParser = self._function(f"{self.name}_parser")()
        parser.description = self.summary
        return parser

    def __call__(self, arguments: Sequence[str]) -> int:
        """Run it, and return its exit code."""
        return self._function(self.name)(self.parser(), arguments) or 0

    def _function(self, name: str) -> Callable[..., Any]:
        function: Callable[..., Any] = getattr(import_module(f"{__package__}.{self.module}"), name)
        return function


_ALL = (
    ("download", "download", "Fetch an archive of images, checked and resumable."),
    ("train", "train", "Train a network on pseudo-labels from STDP."),
    ("compare", "compare", "Train one recipe with several clusterers and seeds, and compare."),
    (
        "study",
        "study",
        "Tune and compare variants of a recipe, as a file says; or draw its results.",
    ),
    ("watch", "watch", "Follow a run, or those of a compare, in the terminal until they end."),
    ("report", "report", "Write one page of HTML about a run, or about several side by side."),
    ("evaluate", "trained", "Measure a trained run on its own or on other images."),
    ("predict", "trained", "Print the cluster of each image as CSV."),
    ("cluster", "cluster", "Cluster a file of features by STDP; no network is trained."),
    ("convert", "convert", "Turn a trained ConvNet into integrate-and-fire neurons."),
    ("export", "exchange", "Write a trained run for a simulator, a chip or a server."),
    ("verify", "exchange", "Replay a run's validation images through an exported file."),
    ("doctor", "doctor", "Say what this machine can do, and what is missing for more."),
    (
        "completion",
        "completion",
        "Print a script that makes a shell complete commands, options and files.",
    ),
)

COMMANDS = {name: Command(name, module, summary) for name, module, summary in _ALL}
