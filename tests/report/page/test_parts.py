import base64
import io
import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from deepstdp.examples import UNKNOWN, load_examples
from deepstdp.report.page.charts import script_json
from deepstdp.report.page.clusters import confusion_chart, explore, make_sprite
from deepstdp.report.page.conversion import conversion_charts
from deepstdp.report.page.curves import curve_charts
from deepstdp.report.page.feature_map import embed, map_chart
from deepstdp.report.page.spikes import layer_charts, open_layer, present
from deepstdp.report.page.table import method_table
from deepstdp.report.reading import RunView, group_runs


@pytest.fixture
def views(runs):
    return [RunView.read(run) for run in runs]


def figure(chart) -> dict:
    return json.loads(chart.figure)


def test_json_cannot_end_its_script():
    nasty = {"a": "</script><!-- & "}
    safe = script_json(nasty)
    assert "<" not in safe
    assert json.loads(safe) == nasty


def test_thumbnails_lie_where_they_are_said_to():
    levels = np.arange(0, 250, 50)
    images = np.broadcast_to(levels[:, None, None, None], (5, 1, 8, 8)).astype(np.uint8)
    sprite = make_sprite(images)
    assert (sprite.columns, sprite.rows) == (3, 2)
    sheet = Image.open(io.BytesIO(base64.b64decode(sprite.url.partition(",")[2])))
    assert sheet.size == (120, 80)
    for i, level in enumerate(levels):
        x, y = (float(part.strip("%")) / 100 for part in sprite.place(i).split())
        at = (round(x * 80) + 20, round(y * 40) + 20)  # what CSS shifts by, and the middle
        assert abs(sheet.getpixel(at)[0] - level) < 6


def test_the_explorer_counts_all_images(views):
    examples = load_examples(views[0].run)
    clusters = explore(examples, views[0].class_names, make_sprite(examples.images))
    assert sum(cluster.size for cluster in clusters) == 300
    sizes = [cluster.size for cluster in clusters]
    assert sizes == sorted(sizes, reverse=True)
    first = clusters[0]
    counts = examples.contingency[first.number]
    assert first.purity == counts.max() / counts.sum()
    assert first.most == views[0].class_names[counts.argmax()]
    unlabelled = replace(examples, classes=np.full_like(examples.classes, UNKNOWN))
    unnamed = explore(unlabelled, [], make_sprite(examples.images))
    assert all(cluster.purity is None for cluster in unnamed)


def test_confusion_sums_to_one_in_each_cluster(views):
    drawn = figure(confusion_chart(np.array([[3, 1], [0, 0], [0, 2]]), ["a", "<b>"]))["data"][0]
    assert drawn["y"] == ["a", "&lt;b&gt;"]
    assert drawn["x"] == ["0", "2"]
    assert confusion_chart(np.array([[1]]), []) is None


def test_the_map_keeps_neighbours(views):
    rng = np.random.default_rng(0)
    blobs = np.repeat(np.eye(3, 8), 30, axis=0) + 0.05 * rng.normal(size=(90, 8))
    places = embed(blobs.astype(np.float32), 0)
    nearest = [np.argsort(np.linalg.norm(places - p, axis=1))[1] // 30 for p in places]
    assert np.array_equal(nearest, np.repeat([0, 1, 2], 30))
    assert np.array_equal(places, embed(blobs.astype(np.float32), 0))
    few = load_examples(views[0].run)
    assert map_chart(few, views[0].class_names, 0) is not None


def test_curves_have_bands_untrained_and_iso_accuracy(views):
    charts = {chart.title: chart for chart in curve_charts(group_runs(views))}
    drawn = figure(charts["Linear probe"])
    names = [trace.get("name") for trace in drawn["data"]]
    assert {"stdp", "kmeans", "untrained", "kmeans's best, smoothed"} <= set(names)
    assert sum(trace.get("fill") == "toself" for trace in drawn["data"]) == 2
    line = next(trace for trace in drawn["data"] if trace.get("name") == "stdp")
    probes = [view.series("linear_probe_accuracy")[1] for view in views[:2]]
    assert "bdata" in line["y"] or line["y"] == pytest.approx(list(100 * np.mean(probes, axis=0)))
    # One epoch is no curve: labels kept from the last epoch are known of the second alone.
    assert "Images that keep their cluster" not in charts


def test_the_table_pairs_seeds(views):
    table = method_table(group_runs(views))
    assert table.header[-1] == "points over kmeans"
    rows = {row[0]: row for row in table.rows}
    assert rows["kmeans"][-1] == "-"
    probes = [100 * v.final["linear_probe_accuracy"] for v in views]
    gain = np.mean([probes[0] - probes[2], probes[1] - probes[3]])
    assert rows["stdp"][-1].startswith(f"{gain:+.1f} [")
    assert rows["<b>un&"][2].startswith(f"{np.mean(probes[4:]):.1f} ± ")


def test_images_do_in_the_layer_what_they_did_in_the_run(views):
    """The clusters that the page's recordings end in are those of the run."""
    examples, layer = load_examples(views[0].run), open_layer(views[0])
    shown = present(layer, examples)
    assert len({one.title for one in shown}) == len(shown) == 4
    import torch

    recording = layer.record(torch.from_numpy(examples.reduced), torch.from_numpy(examples.rows))
    counts = np.stack([(recording.winners == j).sum(dim=1).numpy() for j in range(20)], axis=1)
    ahead = np.sort(counts, axis=1)
    clear = ahead[:, -1] > ahead[:, -2]  # ties go by the membrane
    assert clear.mean() > 0.3
    same = counts.argmax(axis=1)[clear] == examples.clusters[clear]
    # Features of a few images differ from those of all in the last bit, and so may a rate.
    assert same.mean() > 0.98
    titles = [chart.title for chart in layer_charts(views[0], layer, examples)]
    assert titles == ["Thresholds and firing rate", "Thresholds of the neurons", "Synaptic fields"]
    assert open_layer(views[2]) is None


def test_conversion_with_and_without_labels():
    point = {"timesteps": 8, "relative_error": 0.1, "cluster_agreement": 0.9}
    interval = {"mean": 0.5, "ci95": [-1.0, 2.0]}
    measured = {"linear_probe_accuracy": 0.7, "points": interval, "probe_agreement": 0.8}
    joules = {"float32": {"spiking": 1.0, "spiking_held": 0.5, "convnet": 2.0}}
    energy = {
        "microjoules": joules | {"int8": {"spiking": 0.1, "spiking_held": 0.05, "convnet": 0.2}}
    }
    points = [point | measured | {"energy": energy}]
    record = {"curve": points, "linear_probe_accuracy": 0.695, "retest_agreement": 0.9}
    charts = conversion_charts(record | {"energy": energy})
    titles = ["Linear", "Agreement", "Energy", "Energy"]
    assert [chart.title.split()[0] for chart in charts] == titles
    over_time = figure(charts[2])
    assert [(line["name"], line["y"]) for line in over_time["data"]] == [
        ("spiking", [0.1]),
        ("spiking, input held", [0.05]),
    ]
    assert over_time["layout"]["shapes"][0]["y0"] == 0.2  # the ConvNet
    error = figure(charts[0])["data"][0]["error_y"]
    assert error["array"] == pytest.approx([71.5 - 70])
    assert error["arrayminus"] == pytest.approx([70 - 68.5])
    bare = {"curve": [point], "energy": {"microjoules": joules}}
    assert [c.title.split()[0] for c in conversion_charts(bare)] == ["Agreement", "Energy"]
