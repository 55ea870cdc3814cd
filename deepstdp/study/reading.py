"""A study as a YAML file says it."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from deepstdp.comparison.trials import UNTRAINED
from deepstdp.config import Config
from deepstdp.config_files import load_config
from deepstdp.config_files.mapping import read_mapping
from deepstdp.config_files.trust import CODE, check_trusted, code_named
from deepstdp.errors import UserError, one_line
from deepstdp.files import MISFITS, Record, read_json
from deepstdp.study.spec import NAME, Range, Settings, Study, Tuning

_NEEDED = ("base", "seeds", "baseline", "variants")
_KEYS = ("title", "settings", "subsets", "tuning", "tuned", "panels")
_KINDS = {
    "seeds": list,
    "variants": dict,
    "settings": dict,
    "subsets": dict,
    "tuning": dict,
    "panels": dict,
}
_RESERVED = ("tuning", "raw-pixels")
"""Folders that a study makes beside those of subsets and variants."""


def read_study(path: Path, overrides: Settings | None = None, trust_code: bool = False) -> Study:
    """Read a study.

    Args:
        path: YAML; see ``studies/`` for examples.
        overrides: settings for all variants, which beat those of the file.
        trust_code: whether the files may name code of their own (``class_path``).

    Raises:
        UserError: the file cannot be read or used; the message says why.
    """
    content = read_mapping(path, "study")
    try:
        study = _from_content(content, path, overrides or {})
        _check(study, path)
    except UserError:
        raise
    except MISFITS as error:
        raise UserError(f"{path} is no study ({one_line(str(error))})") from None
    if not trust_code:
        _check_trusted(study, path)
    return study


def _from_content(content: Mapping[str, Any], path: Path, overrides: Settings) -> Study:
    if unknown := sorted(set(content) - set(_NEEDED) - set(_KEYS)):
        raise UserError(f"{path}: unknown key {unknown[0]}; there are {', '.join(_NEEDED + _KEYS)}")
    if missing := sorted(set(_NEEDED) - set(content)):
        raise UserError(f"{path}: {missing[0]} is missing")
    for key, kind in _KINDS.items():
        if key in content and not isinstance(content[key], kind):
            raise UserError(f"{path}: {key} must be a {'list' if kind is list else 'mapping'}")
    for name, own in content["variants"].items():
        if not isinstance(own, dict | None):
            raise UserError(f"{path}: the variant {name} must hold settings, not {own!r}")
    for name, classes in content.get("subsets", {}).items():
        names = classes if isinstance(classes, list) else [classes or ""]
        if not (isinstance(name, str) and all(isinstance(part, str | int) for part in names)):
            raise UserError(f"{path}: the subset {name} must list classes, not {classes!r}")
    variants = {str(name): dict(settings or {}) for name, settings in content["variants"].items()}
    variants.setdefault(UNTRAINED, {"clustering.method": "none"})
    tuned_as = {name: settings.pop("tuned_as", name) for name, settings in variants.items()}
    settings = content.get("settings", {})
    return Study(
        name=path.stem,
        title=content.get("title", path.stem),
        recipes={
            name: _recipe(path, name, path.parent / content["base"], settings | own | overrides)
            for name, own in variants.items()
        },
        variants=variants,
        tuned_as=tuned_as,
        tuned=_read_tuned(path.parent / content["tuned"]) if "tuned" in content else {},
        seeds=list(content["seeds"]),
        baseline=content["baseline"],
        subsets=content.get("subsets", {"main": None}),
        tuning=_tuning(path, content["tuning"]) if "tuning" in content else None,
        panels=content.get("panels", {}),
        settings=settings,
        overrides=overrides,
    )


def _check(study: Study, path: Path) -> None:
    for name in (*study.variants, *study.subsets):
        # It is to be a folder, and some there are already.
        if not NAME.fullmatch(name) or name in _RESERVED:
            raise UserError(
                f"{path}: {name}: names take letters, digits, '-', '_' and '.', and none is "
                f"{' or '.join(_RESERVED)}"
            )
    for title, variants in study.panels.items():
        if not variants:
            raise UserError(f"{path}: panel '{title}' lists no variants")
    searched = {} if study.tuning is None else study.tuning.space
    panels = [name for panel in study.panels.values() for name in panel]
    for name in (study.baseline, *panels, *searched):
        if name not in study.variants:
            raise UserError(f"{path}: there is no variant {name}")
    for name, other in study.tuned_as.items():
        if other not in {*study.variants, *study.tuned}:
            raise UserError(f"{path}: {name} is tuned_as {other}, which is no variant")
    if not study.seeds or len(set(study.seeds)) < len(study.seeds):
        raise UserError(f"{path}: seeds must be given, each once")
    _check_tuning(study, path)
    if "data.classes" in study.overrides and set(study.subsets.values()) != {None}:
        raise UserError(f"{path} chooses the classes itself: leave --data.classes out")
    for name in ("seed", "data.split"):
        if name in study.overrides:
            raise UserError(f"{path} chooses {name} itself: leave --{name} out")


def _check_trusted(study: Study, path: Path) -> None:
    """No code but what the command line names."""
    searched = {} if study.tuning is None else study.tuning.space
    for variant in study.variants:
        named = code_named(study.config(variant)) | searched.get(variant, {})
        own = {name: named[name] for name in CODE if name in named}
        check_trusted(path, {k: v for k, v in own.items() if k not in study.overrides})


def _check_tuning(study: Study, path: Path) -> None:
    tuning = study.tuning
    if tuning is None:
        return
    if tuning.seed in study.seeds:
        raise UserError(f"{path}: the seed of the tuning must not be one of the study's")
    if tuning.n_trials < 1:
        raise UserError(f"{path}: n_trials must be at least 1")
    for variant, space in tuning.space.items():
        for name in space:
            if name in study.overrides:
                raise UserError(f"{path} searches for {name}: leave --{name} out")
            if name in study.variants[variant] or name.startswith("data."):
                raise UserError(f"{path}: {name} of {variant} is fixed: it cannot be searched")


def _recipe(path: Path, variant: str, base: Path, settings: Settings) -> Config:
    options = [f"--{name}={_as_option(value)}" for name, value in settings.items()]
    try:
        return load_config(base, options, trust_code=True)  # the study is checked as a whole
    except UserError as error:
        raise UserError(f"{path}, variant {variant}: {error}") from None


def _tuning(path: Path, content: Record) -> Tuning:
    try:
        shared = content.get("space", {})
        space = {
            name: {key: _range(value) for key, value in (shared | (own or {})).items()}
            for name, own in content["variants"].items()
        }
        return Tuning(int(content["n_trials"]), int(content["seed"]), space)
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path}: the tuning lacks or misuses {error}") from None


def _range(value: Any) -> Range:
    if isinstance(value, list):
        return Range(choices=value)
    low, high = float(value["low"]), float(value["high"])  # YAML reads 1e-6 as text
    return Range(low=low, high=high, log=bool(value.get("log", False)))


def _read_tuned(path: Path) -> dict[str, Settings]:
    """What the tuning of another study found."""
    found = read_json(path).get("tuning")
    if not isinstance(found, dict):
        raise UserError(f"{path} has no tuning: give the results of a study that has one")
    return {name: dict(of_one["settings"]) for name, of_one in found.items()}


def _as_option(value: Any) -> str:
    # JSON is YAML, whatever the value.
    return value if isinstance(value, str) else json.dumps(value)


def overrides_of(arguments: Sequence[str], own: Sequence[str]) -> Settings:
    """Options of a command line that are settings of the experiment, unparsed.

    Args:
        arguments: ``--name value`` or ``--name=value``, checked already.
        own: names of the options that are the command's own.
    """
    settings: Settings = {}
    for argument, following in zip(arguments, [*arguments[1:], ""], strict=True):
        if argument.startswith("--"):
            name, equals, value = argument.removeprefix("--").partition("=")
            if name not in own:
                settings[name] = value if equals else following
    return settings
