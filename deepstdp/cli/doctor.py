"""``deepstdp doctor``: what this machine can do."""

import os
import platform
import shutil
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch
from jsonargparse import ArgumentParser

from deepstdp.cli.options import command_parser
from deepstdp.config_files import parse
from deepstdp.environment import hardware
from deepstdp.errors import UserError
from deepstdp.spiking.engines import NAMES, make_engine

EXTRAS: dict[str, tuple[str, str]] = {
    "optuna": ("deepstdp study with tuning", 'pip install "deepstdp[study]"'),
    "nir": ("deepstdp export, verify", 'pip install "deepstdp[nir]"'),
    "onnxruntime": ("deepstdp export --target onnx", 'pip install "deepstdp[onnx]"'),
    "ray": ("deepstdp compare --executor ray", 'pip install "deepstdp[ray]"'),
    "shtab": ("deepstdp completion", 'pip install "deepstdp[completion]"'),
    "tensorboard": ("deepstdp train --logger tensorboard", 'pip install "deepstdp[tensorboard]"'),
    "mlflow-skinny": ("deepstdp train --logger mlflow", 'pip install "deepstdp[mlflow]"'),
    "wandb": ("deepstdp train --logger wandb", 'pip install "deepstdp[wandb]"'),
    "snntorch": ("deepstdp verify through snnTorch", "pip install snntorch nirtorch"),
    "spikingjelly": ("deepstdp verify through SpikingJelly", "pip install spikingjelly nirtorch"),
    "norse": ("deepstdp verify through Norse", "pip install --no-deps norse"),
    "sinabs": ("deepstdp verify through sinabs", "pip install --no-deps sinabs pbr"),
}
"""What an optional package is for, and how it is had."""


def doctor_parser() -> ArgumentParser:
    """Options of ``deepstdp doctor``."""
    return command_parser("doctor", "")


def doctor(parser: ArgumentParser, arguments: Sequence[str]) -> None:
    """Run ``deepstdp doctor``."""
    parse(parser, arguments)
    for title, rows in (
        ("machine", _machine()),
        ("devices", _devices()),
        ("engines of the spiking layer", _engines()),
        ("optional packages", _packages()),
    ):
        print(f"{title}:")
        for name, said in rows:
            print(f"  {name:<14} {said}")


def _machine() -> Iterator[tuple[str, str]]:
    yield "deepstdp", version("deepstdp")
    yield "python", f"{platform.python_version()}, PyTorch {torch.__version__}"
    found = hardware(torch.device("cpu"))
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    yield "processor", f"{found['name']}, {usable} usable cores, {found['n_threads']} threads"
    free = shutil.disk_usage(Path.cwd()).free
    yield "disk", f"{free / 1e9:.0f} GB free in this folder"


def _devices() -> Iterator[tuple[str, str]]:
    yield "cpu", "yes"
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            about = torch.cuda.get_device_properties(index)
            yield f"cuda:{index}", f"{about.name}, {about.total_memory / 1e9:.0f} GB"
    else:
        built = "PyTorch is built without CUDA" if torch.version.cuda is None else "none found"
        yield "cuda", f"no ({built})"
    yield "mps", "yes" if torch.backends.mps.is_available() else "no"


def _engines() -> Iterator[tuple[str, str]]:
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    fastest = make_engine("auto", device, fixed_point=True)
    for name in NAMES:
        if name == "cuda" and device.type == "cpu":
            yield name, "no (it needs a CUDA device)"
            continue
        on = device if name == "cuda" else torch.device("cpu")
        try:
            engine = make_engine(name, on, fixed_point=True)
        except UserError as error:
            yield name, f"no ({error})"
        else:
            yield name, "yes, the fastest here" if type(engine) is type(fastest) else "yes"


def _packages() -> Iterator[tuple[str, str]]:
    for package, (purpose, how) in EXTRAS.items():
        try:
            yield package, f"{version(package)}, for {purpose}"
        except PackageNotFoundError:
            yield package, f"no: {purpose} needs it ({how})"
