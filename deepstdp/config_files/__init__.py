"""Configs from YAML files and command lines, checked; and back to YAML.

jsonargparse does the parsing. What it does not do is name the nearest key when one is unknown.
"""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, fields, is_dataclass, replace
from pathlib import Path
from types import NoneType
from typing import Any, get_args

import yaml
from jsonargparse import ArgumentError, ArgumentParser, Namespace

from deepstdp.config import Config
from deepstdp.config_files.mapping import read_mapping
from deepstdp.config_files.trust import check_trusted, code_in
from deepstdp.config_files.wording import hint, reworded
from deepstdp.errors import UserError

TRUST_CODE = "import the classes that a file names (class_path); code of a stranger can do anything"


def config_parser(**kwargs: Any) -> ArgumentParser:
    """A parser with ``--config`` and an option for every setting."""
    parser = ArgumentParser(exit_on_error=False, **kwargs)
    parser.add_argument("--config", action="config", help="YAML file with any of the settings")
    parser.add_class_arguments(Config, None)
    parser.add_argument("--trust_code", action="store_true", help=TRUST_CODE)
    return parser


def to_config(parser: ArgumentParser, namespace: Namespace) -> Config:
    """The settings among parsed arguments, as a checked ``Config``."""
    made = parser.instantiate(namespace)
    return Config(**{field.name: made[field.name] for field in fields(Config)})


def load_config(path: Path, overrides: Sequence[str] = (), trust_code: bool = False) -> Config:
    """Read a YAML file.

    Args:
        path: the file; what it leaves out keeps its default.
        overrides: command-line options such as ``--training.epochs=3``.
        trust_code: whether the file may name code of its own (``class_path``).

    Raises:
        UserError: no such file, no YAML, an unknown key, a value of the wrong type, or code that
            is not trusted.
    """
    parser = config_parser()
    arguments = ["--config", str(path), *overrides, *(["--trust_code"] if trust_code else [])]
    return to_config(parser, parse(parser, arguments))


def parse(parser: ArgumentParser, arguments: Sequence[str]) -> Namespace:
    """Parse, turning whatever is wrong into one clear line.

    Raises:
        UserError: see ``load_config``.
    """
    options = [name for action in parser._actions for name in action.option_strings]
    # One spelling, "--name value", for what follows.
    arguments = [
        part
        for argument in arguments
        for part in (argument.split("=", 1) if argument.startswith("--config=") else [argument])
    ]
    for argument in arguments:
        name = argument.split("=")[0]
        if name.startswith("--") and name not in options:
            raise UserError(f"unknown option {name}{_nearest(name, options)}")
    checked = list(arguments)
    for position, path in _config_paths(arguments):
        content = read_mapping(path)
        check_keys(content, path, Config, extra=_plain_options(options))
        if "--trust_code" not in arguments:
            check_trusted(path, code_in(content))
        # The content in the place of the path: for a file jsonargparse changes the current folder,
        # under the feet of other threads; and it takes no empty one.
        checked[position] = yaml.safe_dump(_unambiguous(content), default_flow_style=True)
    try:
        return parser.parse_args(checked)
    except ArgumentError as error:
        raise UserError(reworded(str(error), parser)) from None


def _unambiguous(content: Mapping[str, Any]) -> dict[str, Any]:
    """A section of ``class_path`` and ``init_args`` alone jsonargparse takes for a class itself."""
    kinds = {"backbone": {"name": "custom"}, "clustering": {"method": "custom"}}
    return {
        key: kinds[key] | dict(value) if key in kinds and "class_path" in value else value
        for key, value in content.items()
    }


def with_settings(config: Config, settings: Mapping[str, Any]) -> Config:
    """The config with other values of some settings.

    Args:
        config: the rest.
        settings: values by dotted names, such as ``training.learning_rate``.

    Raises:
        UserError: a setting that does not exist, or cannot have its value.
    """
    for name, value in settings.items():
        if name not in list(_dotted(Config)):
            raise UserError(f"unknown setting {name}{_nearest(name, list(_dotted(Config)))}")
        config = _replaced(config, name.split("."), value)
    return config


def _replaced(part: Any, names: Sequence[str], value: Any) -> Any:
    first, *rest = names
    return replace(part, **{first: _replaced(getattr(part, first), rest, value) if rest else value})


def dump_config(config: Config) -> str:
    """The whole config as YAML that ``load_config`` reads back to an equal one."""
    return yaml.safe_dump(_plain(asdict(config)), sort_keys=False)


def check_keys(
    content: Mapping[str, Any],
    path: Path,
    schema: type,
    prefix: str = "",
    extra: Sequence[str] = (),
) -> None:
    """Check the keys of a nested mapping against a dataclass.

    Raises:
        UserError: an unknown key; the message names the nearest known one.
    """
    known = {field.name: field.type for field in fields(schema)}
    nullable = {field.name for field in fields(schema) if NoneType in get_args(field.type)}
    for key, value in content.items():
        if key not in known and key not in extra:
            every = [*_dotted(Config), *extra]
            raise UserError(f"{path}: unknown key {prefix}{key}{_nearest(f'{prefix}{key}', every)}")
        if value is None and key in known and key not in nullable:
            raise UserError(f"{path}: {prefix}{key} has no value")
        inner = known.get(key)
        if isinstance(inner, type) and is_dataclass(inner):
            if not isinstance(value, Mapping):
                raise UserError(f"{path}: {prefix}{key} must hold settings, not {value!r}")
            check_keys(value, path, inner, f"{prefix}{key}.")


def _dotted(schema: type, prefix: str = "") -> Iterator[str]:
    for field in fields(schema):
        yield f"{prefix}{field.name}"
        if isinstance(field.type, type) and is_dataclass(field.type):
            yield from _dotted(field.type, f"{prefix}{field.name}.")


_SYMBOLS = (("K", "n_clusters"), ("T", "n_timesteps"), ("T", "timesteps"))
"""What the docs call settings for short."""


def _nearest(name: str, known: Sequence[str]) -> str:
    """A hint: the nearest whole name, or else the one whose last part is nearest."""
    tails = {option.lstrip("-").rpartition(".")[2]: option for option in known}
    # "lr" stands for learning_rate.
    initials = {"".join(word[:1] for word in tail.split("_")): tail for tail in tails}
    initials |= {symbol: tail for symbol, tail in _SYMBOLS if tail in tails}
    tail = name.lstrip("-").rpartition(".")[2]
    if (len(tail) > 1 or tail in dict(_SYMBOLS)) and tail in initials:
        near = [tails[initials[tail]]]
    elif not (near := difflib.get_close_matches(name, known, n=1, cutoff=0.8)):
        near = [tails[t] for t in difflib.get_close_matches(tail, tails, n=1, cutoff=0.6)]
    return hint(near)


def _config_paths(arguments: Sequence[str]) -> Iterator[tuple[int, Path]]:
    """Where among the arguments ``--config FILE`` stands, and the file."""
    for position, argument in enumerate(arguments[1:], 1):
        if arguments[position - 1] == "--config":
            yield position, Path(argument)


_NEVER_FROM_FILES = (
    *("config", "help", "trust_code"),
    *("run_dir", "out", "overwrite", "resume"),
    *("logger", "executor"),
)
"""What only a person says: no file vouches for itself, replaces runs or reaches a network."""


def _plain_options(options: Sequence[str]) -> list[str]:
    """Options of a command that are not settings of the experiment, such as ``methods``."""
    names = (option.removeprefix("--") for option in options)
    return [name for name in names if "." not in name and name not in _NEVER_FROM_FILES]


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    return list(value) if isinstance(value, tuple) else value
