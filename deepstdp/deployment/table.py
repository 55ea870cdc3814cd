"""A conversion as tables: accuracy over time, layers, energy."""

from textwrap import fill
from typing import Any

from deepstdp.deployment.energy import cheapest_arithmetic
from deepstdp.files import Record
from deepstdp.tables import markdown_table

_WIDTH = 100
"""Of a line of text, at most."""


def conversion_tables(record: Record) -> str:
    """What ``convert_run`` found, for a person."""
    parts = [_curve(record), _layers(record), _energy(record)]
    if "end_to_end" in record:
        parts.insert(1, _end_to_end(record))
    return "\n\n".join(parts)


def kept_line(record: Record) -> str:
    """How much of the ConvNet the network of ``compare`` keeps after its only T, in a line."""
    (point,) = record["curve"]
    parts = []
    if "points" in point:
        ours, theirs = point["linear_probe_accuracy"], record["linear_probe_accuracy"]
        points = _points(point["points"])
        parts.append(f"linear probe {ours:.1%}, the ConvNet {theirs:.1%} ({points} points)")
    if "cluster_agreement" in point:
        again = _percent(record.get("retest_agreement"))
        parts.append(f"same cluster {point['cluster_agreement']:.1%} (retest {again}%)")
    if "ties" in point:
        parts.append(f"ties {point['ties']:.1%}")
    parts.append(f"error {point['relative_error']:.3f}")
    return "; ".join(parts)


def _curve(record: Record) -> str:
    joules = record["energy"]["microjoules"]
    arithmetic = cheapest_arithmetic(record["energy"])
    header = (
        *("T", "linear probe %", "points [95 %]", "same class %", "same cluster %", "error"),
        f"uJ ({arithmetic})",
    )
    rows = [
        (
            str(point["timesteps"]),
            _percent(point.get("linear_probe_accuracy")),
            _points(point.get("points")),
            _percent(point.get("probe_agreement")),
            _percent(point.get("cluster_agreement")),
            f"{point['relative_error']:.3f}",
            f"{point['energy']['microjoules'][arithmetic]['spiking']:.2f}",
        )
        for point in record["curve"]
    ]
    rows.append(
        (
            *("ConvNet", _percent(record.get("linear_probe_accuracy")), "-", "-"),
            *(f"retest {_percent(record.get('retest_agreement'))}", "-"),
            f"{joules[arithmetic]['convnet']:.2f}",
        )
    )
    config = record["config"]
    fitted = f"{record['n_images']} validation images; fitted for T = {config['timesteps']}."
    return "\n".join([*markdown_table(header, rows), "", fitted])


def _end_to_end(record: Record) -> str:
    header = ("clusters", "same as the float pipeline %", "NMI with labels")
    found = record["end_to_end"]
    again = _percent(record.get("retest_agreement"))
    rows = [
        ("float pipeline", f"retest {again}", _number(record.get("nmi_labels"))),
        ("spikes from end to end", _percent(found["agreement"]), _number(found.get("nmi_labels"))),
    ]
    if after := found.get("after_learning"):
        numbers = (_percent(after["agreement"]), _number(after.get("nmi_labels")))
        rows.append(("after learning from spikes", *numbers))
    operations, joules = found["operations"], found["microjoules"]
    note = (
        f"Behind the ConvNet an image takes {operations['reduction']:,.0f} synaptic operations and "
        f"{operations['biases']:,.0f} biases of the reduction ({joules['reduction']:.2f} uJ in "
        f"float32; {joules['float_reduction']:.2f} in the float pipeline), and "
        f"{operations['clustering']:,.0f} synaptic operations of the STDP neurons "
        f"({joules['clustering']:.3f} uJ)."
    )
    return "\n".join([*markdown_table(header, rows), "", fill(note, _WIDTH)])


def _layers(record: Record) -> str:
    header = ("layer", "neurons", "synapses", "rate", "percentile", "saturated %", "error")
    rows = [
        (
            str(number),
            f"{layer['validation']['neurons']:,}",
            f"{layer['validation']['synapses']:,}",
            f"{layer['validation']['firing_rate']:.3f}",
            f"{layer['fit']['percentile']:g}",
            f"{100 * layer['fit']['saturated']:.2f}",
            f"{layer['validation']['relative_error']:.3f}",
        )
        for number, layer in enumerate(record["layers"], 1)
    ]
    n = record["n_counted"]
    note = f"Rate and error of {n} validation images, percentile and saturation of those fitted to."
    return "\n".join([*markdown_table(header, rows), "", note])


def _energy(record: Record) -> str:
    energy = record["energy"]
    operations = (
        f"An image takes {energy['synaptic_operations']:,.0f} synaptic operations and "
        f"{energy['constant_macs']:,.0f} MACs of the constant input, and adds "
        f"{energy['bias_additions']:,.0f} biases; the "
        f"ConvNet, its pooling folded, {energy['convnet_macs']:,} MACs."
    )
    header = ("arithmetic", "pJ/AC", "pJ/MAC", "spiking uJ", "input held uJ", "ConvNet uJ")
    rows = [
        (
            name,
            f"{of_one['picojoules_ac']:g}",
            f"{of_one['picojoules_mac']:g}",
            f"{of_one['spiking']:.2f}",
            f"{of_one['spiking_held']:.2f}",
            f"{of_one['convnet']:.2f}",
        )
        for name, of_one in energy["microjoules"].items()
    ]
    said = fill(_cost(record), _WIDTH)
    return "\n".join([fill(operations, _WIDTH), "", *markdown_table(header, rows), "", said])


def _cost(record: Record) -> str:
    """Whether spikes cost more than the ConvNet, in words."""
    arithmetic = cheapest_arithmetic(record["energy"])
    joules, n_steps = record["energy"]["microjoules"][arithmetic], record["config"]["timesteps"]
    ratios = [joules[name] / joules["convnet"] for name in ("spiking", "spiking_held")]
    cheaper = [
        point["timesteps"]
        for point in record["curve"]
        if point["energy"]["microjoules"][arithmetic]["spiking"] < joules["convnet"]
    ]
    until = f"less up to T = {max(cheaper)}" if cheaper else "more at each of these T"
    return (
        f"In {arithmetic} an image takes {ratios[0]:.2f} times the ConvNet's energy at T = "
        f"{n_steps} ({until}), and {ratios[1]:.2f} times with the input held."
    )


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _points(value: dict[str, Any] | None) -> str:
    if value is None:
        return "-"
    low, high = value["ci95"]
    return f"{value['mean']:+.1f} [{low:+.1f}, {high:+.1f}]"
