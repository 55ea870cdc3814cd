"""Settings of the measurements."""

from dataclasses import dataclass

from deepstdp.config.checks import require, require_types


@dataclass(frozen=True)
class EvaluationConfig:
    """What is measured, and how often.

    Args:
        every: epochs between evaluations; 0 evaluates at the end only.
        knn_neighbours: neighbours that vote.
        probe_inverse_regularisation: scikit-learn's C of the linear probe.
        probe_iterations: most L-BFGS steps of the linear probe.
    """

    every: int = 1
    knn_neighbours: int = 20
    probe_inverse_regularisation: float = 0.1
    probe_iterations: int = 100

    def __post_init__(self) -> None:
        require_types(self, "evaluation.")
        require(self.every >= 0, "evaluation.every must not be negative")
        for name in ("knn_neighbours", "probe_iterations"):
            require(getattr(self, name) >= 1, f"evaluation.{name} must be at least 1")
        require(
            self.probe_inverse_regularisation > 0,
            "evaluation.probe_inverse_regularisation must be positive",
        )
