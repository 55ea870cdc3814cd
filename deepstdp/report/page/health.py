"""What looks ill in a run, and what to do about it."""

import math

from deepstdp.report.page.verdict import gain
from deepstdp.report.reading import RunView

_MOST_EMPTY, _MOST_SILENT = 0.05, 0.1
"""Shares of clusters and of images that are no illness."""


def warnings(view: RunView) -> list[str]:
    """What should worry the owner of a run, and what to do about it."""
    found = []
    if view.summary is None:
        found.append(
            f"The run is not finished: {len(view.metrics)} of {view.config.training.epochs} "
            "epochs. Its train command, with --resume, goes on."
        )
    if not view.learns:
        return found
    return [*found, *_of_features(view), *_of_clusters(view), *_of_files(view)]


def _of_features(view: RunView) -> list[str]:
    found = gain(view)
    if found is None or found["ci95"][1] >= 0:
        return []
    return [
        "The linear probe ends below the untrained network: training took away more than it "
        "gave. Fewer epochs, a lower learning rate, or the recipe of "
        "configs/deep-stdp-2-cpu.yaml (with --data.classes all)."
    ]


def _of_clusters(view: RunView) -> list[str]:
    final, clustering = view.final, view.config.clustering
    k, is_stdp, found = clustering.n_clusters, view.method == "stdp", []
    empty = final.get("n_empty_clusters")
    if empty and empty > _MOST_EMPTY * k:
        cause = ": their neurons win no image" if is_stdp else ""
        has_floor = not is_stdp or clustering.stdp.homeostasis == "floor"
        more = "" if has_floor else ", or clustering.stdp.homeostasis floor"
        found.append(f"{empty} of {k} clusters are empty{cause}. Fewer clusters{more}.")
    largest = final.get("largest_cluster")
    if largest is not None and largest > max(0.5, 2 / k):
        found.append(f"One cluster holds {largest:.0%} of the images: the clusters have collapsed.")
    stability = final.get("assignment_stability")
    if stability is not None and stability < 0.3 and _should_keep(view):
        is_aligned = view.config.reduction.align
        cure = "Fewer clusters, or more images." if is_aligned else "Set reduction.align true."
        found.append(
            f"Only {stability:.0%} of the images keep their cluster from epoch to epoch: the "
            f"network learns labels that do not last. {cure}"
        )
    retest = final.get("retest_agreement")
    if retest is not None and retest < 0.5:
        found.append(
            f"Under other spikes only {retest:.0%} of the images get the same cluster: more "
            "clustering.stdp.n_timesteps, or fewer clusters."
        )
    return found


def _should_keep(view: RunView) -> bool:
    """Whether the run's clusterer begins where it ended an epoch ago."""
    if view.method == "stdp":
        return view.config.clustering.stdp.persistent
    return view.method in ("kmeans-warm", "sinkhorn")


def _of_files(view: RunView) -> list[str]:
    summary = view.summary or {}
    found = []
    silent = view.final.get("n_silent")
    if silent and silent > _MOST_SILENT * summary.get("n_train", math.inf):
        found.append(f"{silent} images made no neuron fire: raise clustering.stdp.input_spikes.")
    if summary.get("n_skipped"):
        found.append(f"{summary['n_skipped']} files were left out; summary.json names them.")
    return found
