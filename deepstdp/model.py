"""The parts that a run trains together, and what of them is saved."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor, nn

from deepstdp.backbones import Network, build_network
from deepstdp.backbones.batch_norm import synchronise_batch_norm
from deepstdp.clustering import Assignment, Clusterer, OnCPU, build_clusterer
from deepstdp.config import Config
from deepstdp.data.images import Images, InMemory
from deepstdp.data.limits import MOST_PIXELS
from deepstdp.errors import UserError, first_line
from deepstdp.features import Reducer, extract
from deepstdp.files import MISFITS, Record, Tensors, prefixed, require_real, unprefixed
from deepstdp.progress import SILENT, Progress
from deepstdp.run_dir import RunDir
from deepstdp.runtime import Runtime, launch, one_process
from deepstdp.training.compilation import compiled

FEATURE_BATCH = 512
"""Images per batch where no gradient is kept."""

NORMALISED_BY = 20_000
"""Most images that set the normalisation: of more, every n-th."""


@dataclass
class Model:
    """Network, feature reduction and clusterer.

    Attributes:
        network: images to features and logits.
        reducer: features to what is clustered.
        clusterer: None for the untrained network.
        runtime: where the network is, and the processes that share the work.
        extract_features: the network's ``features``, perhaps compiled.
    """

    network: Network
    reducer: Reducer
    clusterer: Clusterer | None
    runtime: Runtime
    extract_features: Callable[[Tensor], Tensor]

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return self.runtime.device

    def features(
        self,
        images: Images | UInt8[Tensor, "n c h w"],
        progress: Progress = SILENT,
        rows: Int64[Tensor, "m"] | None = None,
    ) -> Float[Tensor, "m d"]:
        """Features of (some of) the images, each written once into one tensor."""
        images = InMemory(images) if isinstance(images, Tensor) else images
        rows = torch.arange(len(images)) if rows is None else rows
        dtype = self.network.dtype
        shape = (len(rows), self.network.n_features)
        features = torch.empty(shape, dtype=dtype, device=self.device)
        self._write(features, images, rows, progress, lambda batch: batch)
        return features

    def write_reduced(
        self,
        target: Float[Tensor, "m p"],
        images: Images,
        rows: Int64[Tensor, "m"],
        progress: Progress = SILENT,
    ) -> None:
        """Reduced features of some of the images, the full ones never being held."""
        self._write(target, images, rows, progress, self.reducer.transform)

    def _write(
        self,
        target: Float[Tensor, "m q"],
        images: Images,
        rows: Int64[Tensor, "m"],
        progress: Progress,
        change: Callable[[Tensor], Tensor],
    ) -> None:
        parts, start = list(rows.split(FEATURE_BATCH)) if len(rows) else [], 0
        fabric = self.runtime.fabric
        for values in extract(
            self.network,
            images.to(self.device),
            parts,
            progress,
            fabric.autocast,
            self.extract_features,
        ):
            target[start : start + len(values)] = change(values)
            start += len(values)

    def targets(self, view: Float[Tensor, "b c h w"]) -> Float[Tensor, "b k"]:
        """What the clusterer makes of augmented images; it may learn from them."""
        assert self.clusterer is not None
        was_training = self.network.training
        self.network.eval()
        with torch.no_grad(), self.runtime.fabric.autocast():
            features = self.extract_features(
                view.to(self.network.dtype, memory_format=torch.channels_last)
            )
        self.network.train(was_training)
        return self.clusterer.targets(self.reducer.transform(features.to(self.network.dtype)))

    def assign(
        self, images: Images | UInt8[Tensor, "n c h w"], progress: Progress = SILENT
    ) -> Assignment:
        """The clusters of images, without learning.

        Raises:
            UserError: the untrained network has no clusters.
        """
        if self.clusterer is None:
            raise UserError("this run clustered nothing (clustering.method none or supervised)")
        return self.clusterer.predict(self.reducer.transform(self.features(images, progress)))

    def clustering_tensors(self) -> Tensors:
        """State of reduction and clusterer."""
        clusterer = {} if self.clusterer is None else self.clusterer.state()
        return prefixed("reducer", self.reducer.state()) | prefixed("clusterer", clusterer)

    def load_clustering_tensors(self, tensors: Tensors) -> None:
        """Take up what ``clustering_tensors`` gave.

        Raises:
            ValueError: tensors of other shapes.
        """
        reduction = unprefixed("reducer", tensors)
        if reduction:
            require_real("mean", reduction.get("mean"), self.network.n_features)
        self.reducer.load_state(self._here(reduction))
        if self.clusterer is not None:
            state = unprefixed("clusterer", tensors)
            on_cpu = isinstance(self.clusterer, OnCPU)
            self.clusterer.load_state(state if on_cpu else self._here(state))

    def _here(self, tensors: Tensors) -> Tensors:
        return {name: value.to(self.device) for name, value in tensors.items()}

    def save(self, run: RunDir, input_shape: tuple[int, ...]) -> None:
        """Write ``weights.safetensors`` and ``clustering.safetensors``."""
        run.save_tensors("weights", self.network.state_dict(), {"input_shape": list(input_shape)})
        run.save_tensors("clustering", self.clustering_tensors(), {})


def build_model(
    config: Config,
    images: Images,
    progress: Progress = SILENT,
    backbone: nn.Module | None = None,
    clusterer: Any = None,
    runtime: Runtime | None = None,
) -> Model:
    """A fresh model for these training images, on the device that the config asks for.

    Args:
        config: the experiment.
        images: set the sizes and the normalisation.
        progress: follows the clusterer's work.
        backbone: a module of the user's own, in the place of the config's.
        clusterer: the same for the clusterer.
        runtime: the processes of the run; launched if it is not given.

    Raises:
        UserError: the parts do not fit the images or each other.
    """
    runtime = runtime or launch(config)
    group = runtime.group
    built = build_clusterer(config.clustering, config.seed, progress, clusterer, group)
    if built is not None and runtime.device.type == "mps":
        built = OnCPU(built)
    k = config.clustering.n_clusters
    measured = images.take(_every(len(images), NORMALISED_BY))
    network = build_network(config.backbone, measured, k, config.seed, backbone)
    if group.size > 1:
        synchronise_batch_norm(network, runtime.device)
    dtype = torch.float64 if config.precision == "64-true" else torch.float32
    network = network.to(runtime.device, dtype)
    network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    function: Callable[[Tensor], Tensor] = network.features
    if config.compile:
        function = compiled(function, "the feature extraction", progress)
    return Model(network, Reducer(config.reduction, group), built, runtime, function)


def _every(n: int, most: int) -> Int64[Tensor, "m"]:
    """At most so many of the indices below n, evenly spaced."""
    return torch.arange(0, n, -(-n // most))


def load_model(
    run: RunDir,
    backbone: nn.Module | None = None,
    clusterer: Any = None,
    accelerator: str = "auto",
) -> tuple[Model, tuple[int, int, int]]:
    """The trained model of a run, and the (C, H, W) of the images it takes.

    Args:
        run: a finished run.
        backbone: the module that the run was given, if it was given one.
        clusterer: the same for the clusterer.
        accelerator: where it is to be; that of the run need not be here.

    Raises:
        UserError: the run is unfinished or damaged, or names code and is not trusted.
    """
    config = run.config()
    run.check_code(config, {"backbone.class_path": backbone, "clustering.class_path": clusterer})
    weights, info = run.load_tensors("weights")
    channels, height, width = _input_shape(run, info)
    blank = InMemory(torch.zeros(1, channels, height, width, dtype=torch.uint8))
    # The device of the run need not be here.
    stdp = replace(config.clustering.stdp, engine="auto")
    clustering = replace(config.clustering, stdp=stdp)
    config = replace(config, clustering=clustering, compile=False)
    model = build_model(config, blank, SILENT, backbone, clusterer, one_process(accelerator))
    tensors, _ = run.load_tensors("clustering")
    try:
        model.network.load_state_dict(weights)
        if clusterer is None or any(name.startswith("clusterer.") for name in tensors):
            model.load_clustering_tensors(tensors)
        else:  # an object that was given here keeps what it has learnt
            on_device = {name: value.to(model.device) for name, value in tensors.items()}
            model.reducer.load_state(unprefixed("reducer", on_device))
    except MISFITS as error:
        raise UserError(
            f"the weights of {run.path} do not fit its config ({first_line(error)})"
        ) from None
    return model, (channels, height, width)


def untrained(model: Model, config: Config, input_shape: tuple[int, int, int]) -> Model:
    """A trained model before its first step: initial weights, its own normalisation, no clusters.

    Args:
        model: of a run.
        config: the run's, whose backbone is built in.
        input_shape: (C, H, W) of the images that it takes.
    """
    blank = InMemory(torch.zeros(1, *input_shape, dtype=torch.uint8))
    nothing = replace(config.clustering, method="none", class_path=None, init_args={})
    config = replace(config, clustering=nothing, compile=False)
    fresh = build_model(config, blank, runtime=model.runtime)
    fresh.network.front_end.load_state_dict(model.network.front_end.state_dict())
    return fresh


def _input_shape(run: RunDir, info: Record) -> tuple[int, int, int]:
    found = info.get("input_shape")
    match found:
        case [1 | 3 as channels, int(height), int(width)] if 0 < height * width <= MOST_PIXELS:
            return channels, height, width
    raise UserError(f"{run.path / 'weights.safetensors'} is damaged: images of shape {found}")


def load(run: str | Path, trust_code: bool = False) -> Network:
    """The trained ConvNet of a run, as a module in eval mode on the CPU or GPU there is.

    It maps (B, C, H, W) images in [0, 1], of the run's size, to (B, K) logits; its ``features``
    gives (B, D) rates.

    Args:
        run: the folder of a finished run.
        trust_code: whether its config may name code of its own, which is imported.

    Raises:
        UserError: see ``load_model``.

    Examples:
        >>> network = load("runs/spiking")  # doctest: +SKIP
        >>> features = network.features(images)  # doctest: +SKIP
    """
    model, _ = load_model(RunDir.open(Path(run), trust_code))
    return model.network.eval()
