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
from deepstdp.comparison.statistics import estimate
from deepstdp.config.deployment import ConversionConfig
from deepstdp.deployment.accuracy import clusters_of
from deepstdp.deployment.all_spiking import AllSpiking
from deepstdp.deployment.reduction import SpikingReduction
from deepstdp.deployment.source import Source
from deepstdp.run_dir import RunDir
from deepstdp.tables import markdown_table


class Fixed(SpikingReduction):
    """Without inhibition: the same threshold for all images."""

    def answer(
        self, spikes: UInt8[Tensor, "b t d"], inhibition: float = 0.0
    ) -> UInt8[Tensor, "b t i"]:
        """See ``SpikingReduction``."""
        return super().answer(spikes, inhibition)


@dataclass(frozen=True)
class Exact(SpikingReduction):
    """Each image's threshold is what the length of its own vector asks for."""

    gain: float

    def answer(
        self, spikes: UInt8[Tensor, "b t d"], inhibition: float = 0.0
    ) -> UInt8[Tensor, "b t i"]:
        """See ``SpikingReduction``."""
        vectors = spikes.to(self.weight.dtype).mean(dim=1) @ self.weight + self.bias
        answers = []
        for one, length in zip(spikes, vectors.norm(dim=1).tolist(), strict=True):
            own = Fixed(self.weight, self.bias, length / self.gain, self.wanted)
            answers.append(own.answer(one[None], inhibition))
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
    parts = (follows.weight, follows.bias, follows.threshold, follows.wanted)
    kinds = {
        "divisive inhibition": follows,
        "none": Fixed(*parts),
        "exact": Exact(*parts, gain),
    }
    expected = clusters_of(model, source.val_features)
    again = model.clusterer.retest(model.reducer.transform(source.val_features))
    retest = (again.labels.cpu().numpy() == expected).mean()
    shown, found = source.shown_val(), {}
    pipeline = AllSpiking(network, follows, model.clusterer, config.timesteps)
    for name, reduction in kinds.items():
        clusters = replace(pipeline, reduction=reduction).clusters(shown).cpu().numpy()
        found[name] = 100 * float((clusters == expected).mean() - retest)
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
        paired = [one[name] - one["divisive inhibition"] for one in runs]
        pooled[f"{name}, against divisive inhibition"] = estimate(paired)
    header = ("thresholds", "same cluster, minus retest")
    print("\n".join(markdown_table(header, [(n, cell(v, "{:+.1f}")) for n, v in pooled.items()])))
    save("inhibition", {"pooled": pooled, "runs": runs})


if __name__ == "__main__":
    main()
