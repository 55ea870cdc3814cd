"""What the L2 normalisation costs in spikes: divisive inhibition against none and against exact.

    python -m benchmarks.inhibition RUN ...

Converts every run (seeds of one recipe), and drives its STDP neurons through the reduction with
thresholds that follow the population (as ``convert`` does), that stay where they are, and that are
each image's own from the first step on, as no chip can know them.
"""

import argparse
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import UInt8
from torch import Tensor

from benchmarks.deployment import cell
from benchmarks.hardware import save
from deepstdp.clustering import STDPPseudoLabels
from deepstdp.comparison.statistics import estimate, paired_difference
from deepstdp.config.deployment import ConversionConfig
from deepstdp.deployment.accuracy import cluster_reference
from deepstdp.deployment.all_spiking import AllSpiking
from deepstdp.deployment.reduction import SpikingReduction
from deepstdp.deployment.source import Source
from deepstdp.run_dir import RunDir
from deepstdp.tables import markdown_table


@dataclass(frozen=True)
class Exact(SpikingReduction):
    """Each image's threshold is what the length of its own vector asks for."""

    gain: float = 1.0

    def answer(self, spikes: UInt8[Tensor, "b t d"]) -> UInt8[Tensor, "b t i"]:
        """See ``SpikingReduction``."""
        vectors = spikes.to(self.weight.dtype).mean(dim=1) @ self.weight + self.bias
        answers = []
        for one, length in zip(spikes, vectors.norm(dim=1).tolist(), strict=True):
            threshold = length / self.gain
            own = SpikingReduction(self.weight, self.bias, threshold, self.wanted, inhibition=0.0)
            answers.append(own.answer(one[None]))
        return torch.cat(answers)


def measure(source: Source) -> dict[str, float]:
    """Share of images with the float pipeline's cluster, minus what that repeats itself."""
    config, model = ConversionConfig(), source.model
    assert isinstance(model.clusterer, STDPPseudoLabels)
    network, _ = source.convert(config)
    gain = model.clusterer.gain
    follows = SpikingReduction.fit(
        model.reducer, source.fitted_features(config), network.layers[-1].scale, gain
    )
    kinds = {
        "divisive inhibition": follows,
        "none": replace(follows, inhibition=0.0),
        "exact": Exact(**vars(follows), gain=gain),
    }
    expected, reference = cluster_reference(model, source.val_features, source.truth)
    shown, found = source.shown_val(), {}
    pipeline = AllSpiking(network, follows, model.clusterer, config.timesteps)
    for name, reduction in kinds.items():
        clusters = replace(pipeline, reduction=reduction).clusters(shown).cpu().numpy()
        agreement = (clusters == expected).mean()
        found[name] = 100 * float(agreement - reference["retest_agreement"])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("runs", nargs="+", type=Path, help="finished runs, one a seed")
    runs: list[dict[str, float]] = []
    for path in parser.parse_args().runs:
        runs.append(measure(Source.open(RunDir.open(path))))
        print(path, runs[-1], flush=True)
    pooled: dict[str, Any] = {name: estimate([one[name] for one in runs]) for name in runs[0]}
    for name in ("none", "exact"):
        ours, theirs = ([one[key] for one in runs] for key in (name, "divisive inhibition"))
        pooled[f"{name}, against divisive inhibition"] = paired_difference(ours, theirs)
    header = ("thresholds", "same cluster, minus retest")
    print("\n".join(markdown_table(header, [(n, cell(v, "{:+.1f}")) for n, v in pooled.items()])))
    save("inhibition", {"pooled": pooled, "runs": runs})


if __name__ == "__main__":
    main()
