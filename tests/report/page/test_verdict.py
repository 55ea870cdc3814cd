from dataclasses import replace

import pytest

from deepstdp.config import Config
from deepstdp.config.clustering import ClusteringConfig
from deepstdp.report.page.health import warnings
from deepstdp.report.page.verdict import verdict
from deepstdp.report.reading import RunView
from deepstdp.run_dir import RunDir


def digits(share: float, n: int) -> str:
    """The first images are right."""
    return ("1" * round(share * n)).ljust(n, "0")


@pytest.fixture
def view(tmp_path):
    config = Config(clustering=ClusteringConfig(n_clusters=100))

    def make(probe=0.6, untrained=0.5, method="stdp", n_val=500, summary=True, seed=0, **final):
        clustering = replace(config.clustering, method=method)
        measured = {"linear_probe_accuracy": probe, **final}
        before = {"linear_probe_accuracy": untrained}
        found = {"final": measured, "untrained": before, "n_val": n_val, "n_train": 1000}
        found |= {"n_skipped": 0, "val_images": "same"}
        for key, share in (("correct", probe), ("correct_untrained", untrained)):
            if share is not None:
                found[key] = {"linear_probe": digits(share, n_val)}
        record = found if summary else None
        chosen = replace(config, clustering=clustering, seed=seed)
        return RunView(RunDir(tmp_path), chosen, [{}], record)

    return make


def test_one_seed_is_judged_by_its_images(view):
    # By hand: 50 of 500 images are gained, none is lost; with half an image more of each kind
    # d = 50 / 502 and its error sqrt((51 / 502 - d^2) / 502) = 0.0135, times 1.96 = 2.6 points.
    said = verdict({"a": [view(0.6, 0.5)]})[0]
    assert "better than" in said
    assert "+10.0 points against the untrained one's [+7.3, +12.6] on the same 500 images" in said
    assert "not distinguishable" in verdict({"a": [view(0.504, 0.5)]})[0]
    assert "worse than" in verdict({"a": [view(0.4, 0.5)]})[0]


def test_without_the_images_nothing_is_judged(view):
    old = view(0.6, 0.5)
    del old.summary["correct_untrained"]
    (said,) = verdict({"a": [old]})
    assert "better" not in said
    assert "+10.0 points" in said
    assert warnings(old) == []
    others = view(0.5, method="kmeans")
    others.summary["val_images"] = "others"
    said = verdict({"stdp": [view(0.6)], "kmeans": [others]})[2]
    assert said.startswith("stdp and kmeans: +10.0 points, one seed")


def test_several_seeds_are_judged_by_their_interval(view):
    # Gains 10, 12, 14 points: mean 12, t-interval 12 +- 4.303 * 2 / sqrt(3) = 5.0.
    views = [view(0.6), view(0.62), view(0.64)]
    said = verdict({"a": views})[0]
    assert "better than" in said
    assert "+12.0 points against the untrained one's [+7.0, +17.0], 3 seeds" in said
    assert "not distinguishable" in verdict({"a": [view(0.4), view(0.62), view(0.64)]})[0]


def test_methods_are_compared_with_the_baseline(view):
    """By hand: differences of 2, 4 and 6 points: 4 +- 4.303 * 2 / sqrt(3) = 5.0."""
    ours = [view(0.62, seed=0), view(0.64, seed=1), view(0.66, seed=2)]
    theirs = [view(0.6, method="kmeans", seed=seed) for seed in range(3)]
    said = verdict({"stdp": ours, "kmeans": theirs})
    assert len(said) == 3
    assert said[2] == (
        "stdp is not distinguishable from kmeans: +4.0 points [-1.0, +9.0], 3 seeds."
    )
    assert (
        verdict({"stdp": [view(0.7)], "kmeans": [view(0.6, method="kmeans")]})[2]
        == "stdp is better than kmeans: +10.0 points [+7.3, +12.6] on the same images, one seed."
    )
    # No seed in common, nothing to pair; nothing measured, nothing to say.
    assert len(verdict({"stdp": [view(seed=5)], "kmeans": theirs})) == 2
    assert len(verdict({"stdp": [view(None)], "kmeans": theirs})) == 2


def test_what_nothing_can_be_said_of(view):
    said = verdict({"a": [view(None, None, assignment_stability=0.9, largest_cluster=0.25)]})[0]
    assert "no labels" in said
    assert "once more after the last epoch, 90.0 % of them keep their cluster" in said
    assert "the largest cluster holds 25.0 %" in said
    assert "not finished" in verdict({"a": [view(summary=False)]})[0]
    assert "the untrained network" in verdict({"a": [view(method="none")]})[0]


@pytest.mark.parametrize(
    ("final", "said"),
    [
        ({"probe": 0.4}, "below the untrained"),
        ({"n_empty_clusters": 6}, "6 of 100 clusters are empty"),
        ({"largest_cluster": 0.7}, "collapsed"),
        ({"assignment_stability": 0.2}, "keep their cluster"),
        ({"retest_agreement": 0.4}, "other spikes"),
        ({"n_silent": 101}, "no neuron fire"),
        ({"summary": False}, "not finished"),
    ],
)
def test_each_illness_is_told(view, final, said):
    found = warnings(view(**final))
    assert len(found) == 1
    assert said in found[0]


def test_a_healthy_run_has_no_warnings(view):
    healthy = {"n_empty_clusters": 5, "largest_cluster": 0.5, "assignment_stability": 0.3}
    assert warnings(view(**healthy, retest_agreement=0.5, n_silent=100)) == []
    # Within what so many images can tell, it is not below.
    assert warnings(view(0.498, 0.5)) == []
    # k-means makes its clusters anew each epoch: labels that change are no illness of it.
    assert warnings(view(method="kmeans", assignment_stability=0.01)) == []
    assert warnings(view(0.4, 0.5, method="none")) == []


def test_advice_fits_the_method_and_its_settings(view):
    (said,) = warnings(view(n_empty_clusters=50))
    assert "neurons win no image. Fewer clusters." in said
    runaway = view(n_empty_clusters=50)
    stdp = replace(runaway.config.clustering.stdp, homeostasis="dual")
    clustering = replace(runaway.config.clustering, stdp=stdp)
    (said,) = warnings(replace(runaway, config=replace(runaway.config, clustering=clustering)))
    assert said.endswith("Fewer clusters, or clustering.stdp.homeostasis floor.")
    (said,) = warnings(view(method="sinkhorn", n_empty_clusters=50))
    assert "neurons" not in said
    (said,) = warnings(view(assignment_stability=0.1))
    assert "Fewer clusters, or more images." in said
    unaligned = view(assignment_stability=0.1)
    reduction = replace(unaligned.config.reduction, align=False)
    (said,) = warnings(replace(unaligned, config=replace(unaligned.config, reduction=reduction)))
    assert "reduction.align true" in said
