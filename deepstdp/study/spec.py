"""A study as a YAML file says it: variants, seeds, subsets of classes, and how to tune."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from deepstdp.comparison.trials import UNTRAINED
from deepstdp.config import Config
from deepstdp.config_files import load_config, with_settings
from deepstdp.config_files.mapping import read_mapping
from deepstdp.config_files.trust import CODE, check_trusted, code_named
from deepstdp.errors import UserError
from deepstdp.files import Record

Settings = dict[str, Any]
"""Values of settings by their dotted names, such as ``training.learning_rate``."""

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


@dataclass(frozen=True)
class Range:
    """Values that a setting may take.

    Attributes:
        choices: these and no others; else numbers from ``low`` to ``high``.
        low: smallest.
        high: largest.
        log: whether the logarithm is uniform.
    """

    choices: list[Any] | None = None
    low: float = 0.0
    high: float = 0.0
    log: bool = False

    def holds(self, value: Any) -> bool:
        """Whether a value is among them."""
        return self.low <= value <= self.high if self.choices is None else value in self.choices


@dataclass(frozen=True)
class Tuning:
    """A search for settings, with equally many trials for each variant.

    Attributes:
        n_trials: for each variant, the recipe's own settings being the first.
        seed: of every trial, and of the search; none of the study's.
        space: for each variant that is tuned, the ranges of its settings.
        metric: what is to be high on the tuning split at the end of a trial.
    """

    n_trials: int
    seed: int
    space: dict[str, dict[str, Range]]
    metric: str = "linear_probe_accuracy"


@dataclass(frozen=True)
class Study:
    """Variants of a recipe under comparison.

    Attributes:
        name: of the file.
        title: what it asks, for figures.
        recipes: the config of each variant, before tuning.
        variants: settings in which each differs from the others.
        tuned_as: for each variant, whose tuned settings it takes.
        tuned: settings that another study found, by its variants.
        seeds: paired over all variants.
        baseline: the variant that others are measured against.
        subsets: ``data.classes`` by name; each is a comparison of its own.
        tuning: how to find settings; None if there is nothing to find.
        panels: variants by the title of the panel that shows them together.
        settings: in which all variants differ from the recipe; a variant's own beat them.
        overrides: settings for all variants, which beat everything above.
    """

    name: str
    title: str
    recipes: dict[str, Config]
    variants: dict[str, Settings]
    tuned_as: dict[str, str]
    tuned: dict[str, Settings]
    seeds: list[int]
    baseline: str
    subsets: dict[str, list[str | int] | str | None]
    tuning: Tuning | None = None
    panels: dict[str, list[str]] = field(default_factory=dict)
    settings: Settings = field(default_factory=dict)
    overrides: Settings = field(default_factory=dict)

    def config(self, variant: str, more: Mapping[str, Any] | None = None) -> Config:
        """The config of a variant.

        Args:
            variant: its name.
            more: settings that beat the tuned ones, but not the overrides.

        Raises:
            UserError: a setting that does not exist, or cannot have its value.
        """
        added = self._tuned_of(variant) | dict(more or {})
        settings = {name: value for name, value in added.items() if name not in self.overrides}
        return with_settings(self.recipes[variant], settings)

    def settings_of(self, variant: str) -> Settings:
        """In which settings a variant differs from the recipe."""
        own = self.settings | self.variants[variant]
        return own | self._tuned_of(variant) | self.overrides

    def _tuned_of(self, variant: str) -> Settings:
        tuned = self.tuned.get(self.tuned_as[variant], {})
        return {name: value for name, value in tuned.items() if name not in self.variants[variant]}

    def configs(self, subset: str) -> dict[str, Config]:
        """All variants on a subset of classes."""
        classes = self.subsets[subset]
        more = {} if classes is None else {"data.classes": classes}
        return {name: self.config(name, more) for name in self.variants}

    def with_tuned(self, tuned: Mapping[str, Settings]) -> "Study":
        """The study with settings that its own tuning has found."""
        return replace(self, tuned=self.tuned | dict(tuned))


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
    if unknown := sorted(set(content) - set(_NEEDED) - set(_KEYS)):
        raise UserError(f"{path}: unknown key {unknown[0]}; there are {', '.join(_NEEDED + _KEYS)}")
    if missing := sorted(set(_NEEDED) - set(content)):
        raise UserError(f"{path}: {missing[0]} is missing")
    for key, kind in _KINDS.items():
        if key in content and not isinstance(content[key], kind):
            raise UserError(f"{path}: {key} must be a {'list' if kind is list else 'mapping'}")
    variants = {str(name): dict(settings or {}) for name, settings in content["variants"].items()}
    variants.setdefault(UNTRAINED, {"clustering.method": "none"})
    tuned_as = {name: settings.pop("tuned_as", name) for name, settings in variants.items()}
    settings, overrides = content.get("settings", {}), overrides or {}
    study = Study(
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
    _check(study, path)
    if not trust_code:
        _check_trusted(study, path)
    return study


def _check(study: Study, path: Path) -> None:
    for name in (*study.variants, *study.subsets):
        # It is to be a folder, and some there are already.
        if not re.fullmatch(r"\w[\w.-]*", name) or name in _RESERVED:
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
    try:
        found = json.loads(path.read_text(encoding="utf-8"))["tuning"]
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror})") from None
    except (ValueError, KeyError, TypeError):
        found = None
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
