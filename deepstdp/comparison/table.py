"""The comparison as a table."""

from collections.abc import Mapping, Sequence

from deepstdp.comparison.statistics import Estimate
from deepstdp.files import Record
from deepstdp.pipeline import STAGES
from deepstdp.tables import markdown_table

_FEW = "fine_tuned_accuracy_"


def _header(baseline: str, fractions: Sequence[str]) -> tuple[str, ...]:
    return (
        "method",
        "linear probe %",
        "k-NN %",
        *(f"{float(fraction):.0%} of labels" for fraction in fractions),
        "NMI",
        "stability",
        f"vs {baseline} %",
        "points",
        f"epochs to {baseline}'s best",
        "speed-up",
        "in seconds",
        "s/run",
    )


def markdown(comparison: Record) -> str:
    """One row a method: mean and 95 % interval (half width) over seeds."""
    baseline, methods = comparison["baseline"], comparison["methods"]
    versus = comparison["versus_baseline"]
    known = dict.fromkeys(key for method in methods.values() for key in method)
    fractions = [key.removeprefix(_FEW) for key in known if key.startswith(_FEW)]
    header = _header(baseline, fractions)
    rows = [_row(name, comparison, fractions) for name in methods]
    lines = markdown_table(header, rows)
    n_seeds = len(comparison["seeds"])
    seeds = f"{n_seeds} seeds, +- half the 95 % t-interval."
    one = "One seed: no intervals, and any difference or speed-up may be its chance."
    lines += ["", seeds if n_seeds > 1 else one]
    bootstrap = [
        f"{name} {_show(record['bootstrap_ratio'], '{:.3f}')}"
        for name, record in versus.items()
        if record.get("bootstrap_ratio", {}).get("ci95") and n_seeds > 1
    ]
    if bootstrap:
        lines.append(
            f"Ratio to {baseline} with the 95 % interval of a bootstrap over seeds and images: "
            f"{', '.join(bootstrap)}."
        )
    if missing := comparison.get("missing"):
        lines.append(f"Left out, for all methods, the seeds of what failed: {', '.join(missing)}.")
    censored = [
        f"{name} {record['n_censored']} of {n_seeds}"
        for name, record in versus.items()
        if record.get("n_censored")
    ]
    if censored:
        lines.append(
            f"Runs that never reached {baseline}'s best count at their last epoch, so that "
            f"epochs are too few and speed-ups upper bounds: {', '.join(censored)}."
        )
    below = max((r.get("n_levels_below_untrained", 0) for r in versus.values()), default=0)
    if below:
        lines.append(
            f"In {below} of {n_seeds} seeds {baseline}'s best is no better than the untrained "
            "network: reaching it is no convergence."
        )
    return "\n".join(lines)


def time_shares(seconds: Mapping[str, float]) -> str:
    """Where the time went, e.g. ``features 20%, reduction 1%, ...``."""
    total = sum(seconds[f"seconds_{stage}"] for stage in STAGES) or 1.0
    return ", ".join(f"{stage} {seconds[f'seconds_{stage}'] / total:.0%}" for stage in STAGES)


def method_time_shares(comparison: Record) -> str:
    """One line for each method that was trained: mean time of a run, and its shares."""
    lines = []
    for name, method in comparison["methods"].items():
        seconds = {f"seconds_{stage}": method.get(f"seconds_{stage}") for stage in STAGES}
        means = {key: value["mean"] for key, value in seconds.items() if value is not None}
        if means and means["seconds_training"] > 0:
            lines.append(f"{name}: {method['wall_seconds']['mean']:.0f} s ({time_shares(means)})")
    return "\n".join(lines)


def _row(name: str, comparison: Record, fractions: Sequence[str]) -> list[str]:
    method = comparison["methods"][name]
    versus = comparison["versus_baseline"].get(name, {})
    accuracy = versus.get("linear_probe_accuracy", {})
    censored = bool(versus.get("n_censored"))
    epochs = versus.get("epochs_to_baseline_best")
    if name == comparison["baseline"]:
        epochs = method.get("epochs_to_own_best")
    return [
        name,
        _show(method.get("linear_probe_accuracy"), "{:.1f}", 100),
        _show(method.get("knn_accuracy"), "{:.1f}", 100),
        *(_show(method.get(_FEW + fraction), "{:.1f}", 100) for fraction in fractions),
        _show(method.get("nmi_labels"), "{:.3f}"),
        _show(method.get("assignment_stability"), "{:.2f}"),
        _show(accuracy.get("percent"), "{:+.1f}"),
        _show(accuracy.get("points"), "{:+.1f}"),
        (">= " if censored else "") + _show(epochs, "{:.0f}"),
        ("<= " if censored else "") + _show(versus.get("epochs_speedup"), "{:.2f}"),
        ("<= " if censored else "") + _show(versus.get("seconds_speedup"), "{:.2f}"),
        _show(method.get("wall_seconds"), "{:.0f}"),
    ]


def _show(value: Estimate | None, form: str, scale: float = 1.0) -> str:
    """``mean +- half`` or, where an interval is not symmetric, ``mean [low, high]``."""
    if value is None or value["mean"] is None:
        return "-"
    mean, interval = value["mean"] * scale, value["ci95"]
    text = form.format(mean)
    if interval is None:
        return text
    low, high = (end * scale for end in interval)
    plain = form.replace("+", "")
    if abs((high - mean) - (mean - low)) < 1e-9 * max(1.0, abs(mean)):
        return f"{text} +- {plain.format(high - mean)}"
    return f"{text} [{form.format(low)}, {form.format(high)}]"
