"""One epoch in one line, as a run prints it."""

from deepstdp.evaluation.measure import Metrics

WORTH_A_LOOK: tuple[tuple[str, str, str], ...] = (
    ("loss", "loss", "{:.3f}"),
    ("nmi_labels", "NMI", "{:.3f}"),
    ("assignment_stability", "stable", "{:.0%}"),
    ("n_empty_clusters", "empty", "{}"),
    ("linear_probe_accuracy", "probe", "{:.1%}"),
    ("knn_accuracy", "k-NN", "{:.1%}"),
)
"""What a line of an epoch shows: metric, its short name, how it is written."""


def epoch_line(metrics: Metrics, n_epochs: int, seconds: float) -> str:
    """One epoch in one line that a person can read."""
    parts = [f"epoch {metrics['epoch']:>{len(str(n_epochs))}}/{n_epochs}"]
    for key, name, form in WORTH_A_LOOK:
        if metrics.get(key) is not None:
            parts.append(f"{name} {form.format(metrics[key])}")
    return "  ".join([*parts, f"{seconds:.1f} s"])
