import numpy as np
from matplotlib.figure import Figure

from deepstdp.report.figures import colours_of, draw_curves, draw_mosaic, save_figure


def records(offset):
    keys = ("linear_probe_accuracy", "knn_accuracy", "nmi_labels", "assignment_stability")
    return [{"epoch": e} | dict.fromkeys(keys, 0.1 * e + offset) for e in (1, 2, 3)]


def test_curves_show_the_mean_and_range_over_seeds():
    figure = draw_curves(
        {"stdp": [records(0.0), records(0.2)]}, {"linear_probe_accuracy": 0.25, "knn_accuracy": 0.2}
    )
    probe, knn, nmi, stability = figure.axes
    line, untrained = probe.lines
    assert np.allclose(line.get_ydata(), [20, 30, 40])
    assert np.allclose(untrained.get_ydata(), 25)
    assert len(probe.collections) == 1
    assert len(nmi.lines) == 1
    assert np.allclose(nmi.lines[0].get_ydata(), [0.2, 0.3, 0.4])
    assert np.allclose(stability.lines[0].get_ydata(), [20, 30, 40])
    assert len(knn.lines) == 2


def test_a_method_keeps_its_colour_where_others_have_no_curve():
    colours = colours_of(["raw-pixels", "untrained", "stdp"])
    figure = draw_curves({"stdp": [records(0.0)]}, {}, colours)
    assert figure.axes[0].lines[0].get_color() == colours["stdp"] != colours["raw-pixels"]
    assert colours["untrained"] == "gray"


def test_without_labels_the_panel_says_so():
    bare = [r | {"linear_probe_accuracy": None} for r in records(0.0)]
    figure = draw_curves({"stdp": [bare]}, {})
    assert figure.axes[0].texts[0].get_text() == "not measured"


def test_mosaic_has_a_row_for_each_cluster_in_order():
    images = np.arange(5 * 3 * 4 * 4).reshape(5, 3, 4, 4).astype(np.uint8)
    figure = draw_mosaic(images, np.array([7, 7, 7, 2, 2]))
    assert isinstance(figure, Figure)
    shown = [axis for axis in figure.axes if axis.images]
    assert len(figure.axes) == 6
    assert len(shown) == 5
    assert [axis.texts[0].get_text() for axis in figure.axes if axis.texts] == ["7", "2"]
    assert np.array_equal(shown[3].images[0].get_array(), images[3].transpose(1, 2, 0))


def test_names_are_no_formulas(tmp_path):
    name = r"a $\frac{ b_$ <i>"
    figure = draw_curves({name: [records(0.0)]}, {})
    figure.suptitle(name)
    assert save_figure(figure, tmp_path / "a.png").stat().st_size > 1000
