"""Settings of the measurements."""

from dataclasses import dataclass, field

from deepstdp.config.checks import require, require_types


@dataclass(frozen=True)
class EvaluationConfig:
    """What is measured, and how often.

    Args:
        every: epochs between evaluations; 0 evaluates at the end only.
        knn_neighbours: neighbours that vote.
        probe_inverse_regularisation: scikit-learn's C of the linear probe.
        probe_iterations: most L-BFGS steps of the linear probe.
        label_fractions: at the end, the whole network is fine-tuned on these shares of the labels.
        fine_tuning_epochs: epochs of that, over the labelled images.
        fine_tuning_rate: its learning rate at first, which falls along half a cosine.
    """

    every: int = 1
    knn_neighbours: int = 20
    probe_inverse_regularisation: float = 0.1
    probe_iterations: int = 100
    label_fractions: list[float] = field(default_factory=list)
    fine_tuning_epochs: int = 50
    fine_tuning_rate: float = 0.02

    def __post_init__(self) -> None:
        require_types(self, "evaluation.")
        require(self.every >= 0, "evaluation.every must not be negative")
        for name in ("knn_neighbours", "probe_iterations", "fine_tuning_epochs"):
            require(getattr(self, name) >= 1, f"evaluation.{name} must be at least 1")
        require(self.fine_tuning_rate > 0, "evaluation.fine_tuning_rate must be positive")
        for fraction in self.label_fractions:
            require(
                0 < fraction <= 1, f"evaluation.label_fractions must lie in (0, 1], not {fraction}"
            )
        require(
            self.probe_inverse_regularisation > 0,
            "evaluation.probe_inverse_regularisation must be positive",
        )
