"""What a study is: variants, seeds, subsets of classes, and how to tune."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from deepstdp.config import Config
from deepstdp.config_files import with_settings

NAME = re.compile(r"\w[\w.-]*")
"""Of variants, subsets and studies, which become files and folders."""

Settings = dict[str, Any]
"""Values of settings by their dotted names, such as ``training.learning_rate``."""


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
