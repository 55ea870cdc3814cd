"""From a chain of convolutions to a spiking network, layer by layer on unlabelled images.

Each layer is fitted with the ConvNet's activations in sight, to the spikes of the layers before
it, which are converted already: so it mends what they get wrong (after Li et al. 2021, arXiv
2106.06984).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from deepstdp.config.deployment import ConversionConfig
from deepstdp.deployment.folding import Connection
from deepstdp.deployment.inputs import Constant, InputCode, Spikes
from deepstdp.deployment.layer import IFLayer
from deepstdp.deployment.network import SpikingNetwork
from deepstdp.deployment.relative_error import relative_error

PERCENTILES = (98.0, 99.0, 99.5, 99.9, 99.99, 100.0)
"""Among which ``scale auto`` chooses."""

_MOST_VALUES = 1 << 21
"""Activations that a percentile is taken of: of more, every n-th."""

_INPUT_BITS = 8

_ROUNDS = 3
"""Corrections of the biases, of which the best is kept."""


@dataclass(frozen=True)
class LayerFit:
    """How well a layer of spiking neurons stands for the ConvNet's.

    Attributes:
        percentile: of the activations that the scale is.
        scale: activation of a spike in every step.
        relative_error: ||rates scale - activations|| / ||activations||.
        saturated: share of the activations beyond what its neurons can say.
        firing_rate: spikes a neuron and step.
    """

    percentile: float
    scale: float
    relative_error: float
    saturated: float
    firing_rate: float


@dataclass(frozen=True)
class _Fitted:
    layer: IFLayer
    spikes: Spikes
    fit: LayerFit


def convert(
    connections: list[Connection], images: Float[Tensor, "n c h w"], config: ConversionConfig
) -> tuple[SpikingNetwork, list[LayerFit]]:
    """Scale thresholds, and fit biases, to images.

    Args:
        connections: the folded ConvNet.
        images: behind the front end; no labels are needed.
        config: how.

    Returns:
        The spiking network, and how well each layer fits these images.
    """
    code = fit_input(images, config)
    incoming: Spikes | Constant = code.encode(images, config.timesteps)
    activations, scale_in = images, code.scale
    layers: list[IFLayer] = []
    fits = []
    for connection in connections:
        activations = connection.activations(activations)
        synapses = connection if layers else code.receive(connection)
        found = _fit_layer(synapses, scale_in, incoming, activations, config)
        layers.append(found.layer)
        fits.append(found.fit)
        incoming, scale_in = found.spikes, found.layer.scale
    return SpikingNetwork(code, layers), fits


def fit_input(images: Float[Tensor, "n c h w"], config: ConversionConfig) -> InputCode:
    """The code of the input: its scale is the largest value, or a whole number's share of it."""
    largest = images.abs().max().item() or 1.0
    if config.input == "poisson":
        return InputCode("poisson", largest, None, config.seed)
    if config.weight_bits is None:
        return InputCode("constant", 1.0, None, config.seed)
    bound = 2 ** ((config.input_bits or _INPUT_BITS) - 1) - 1
    return InputCode("constant", largest / bound, bound, config.seed)


def make_layer(
    connection: Connection, scale_in: float, scale: float, config: ConversionConfig
) -> IFLayer:
    """A layer whose rates are r = clip(relu(W x + b) / scale, 0, 1) of inputs x / scale_in.

    W <- W scale_in / scale and b <- b / scale, for a threshold of 1. With weights of m bits all are
    multiplied by the largest whole threshold at which no weight exceeds 2^(m-1) - 1, and rounded;
    weights that exceed it at a threshold of 1, where bits are too few, are clipped.
    """
    weight, bias, threshold = connection.weight * (scale_in / scale), connection.bias / scale, 1.0
    if config.weight_bits is not None:
        largest = 2 ** (config.weight_bits - 1) - 1
        threshold = max(1.0, float(np.floor(largest / max(weight.abs().max().item(), 1e-30))))
        weight = (weight * threshold).round().clamp(-largest, largest)
        bias = bias * threshold
    start = threshold / 2
    if config.start == "zero":  # half a threshold over all steps, in the place of one at the start
        bias, start = bias + threshold / 2 / config.timesteps, 0.0
    if config.weight_bits is not None:
        bias, start = bias.round(), float(np.floor(start))
    scaled = replace(connection, weight=weight, bias=bias)
    return IFLayer(scaled, threshold, start, config.reset, scale, config.multispike)


def _fit_layer(
    connection: Connection,
    scale_in: float,
    incoming: Spikes | Constant,
    activations: Float[Tensor, "n o y x"],
    config: ConversionConfig,
) -> _Fitted:
    """Choose the scale, then fit the biases."""
    best = None
    for percentile, scale in _scales(connection, activations, config):
        layer = make_layer(connection, scale_in, scale, config)
        found = _measured(layer, percentile, incoming, activations)
        best = _better(best, found)
    assert best is not None
    if config.calibrate:
        current = best
        for _ in range(_ROUNDS):
            layer = _corrected(current, activations, config)
            current = _measured(layer, best.fit.percentile, incoming, activations)
            best = _better(best, current)
    return best


def _scales(
    connection: Connection, activations: Float[Tensor, "n o y x"], config: ConversionConfig
) -> Iterator[tuple[float, float]]:
    """Percentiles to try, and the activations there; the ceiling of a clipped ReLU is the 100th."""
    values, largest = _some(activations), activations.max().item()
    if config.scale == "auto":
        largest = connection.ceiling or largest
    for percentile in _percentiles(config):
        scale = 0.0 if percentile == 100 else float(np.percentile(values, percentile))
        if scale > 0:
            yield percentile, scale
        else:  # the 100th, or of a layer where so few are active that the percentile is none
            yield 100.0, largest or 1.0


def _percentiles(config: ConversionConfig) -> tuple[float, ...]:
    if config.scale == "auto":
        return PERCENTILES
    return (100.0,) if config.scale == "max" else (float(config.scale),)


def _some(activations: Float[Tensor, "n o y x"]) -> np.ndarray:
    flat = activations.flatten()
    step = -(-len(flat) // _MOST_VALUES)
    # An even step would see some columns of the images only.
    return flat[:: step + (step % 2 == 0)].cpu().numpy()


def _measured(
    layer: IFLayer,
    percentile: float,
    incoming: Spikes | Constant,
    activations: Float[Tensor, "n o y x"],
) -> _Fitted:
    spikes = layer.answer(incoming)
    fit = LayerFit(
        percentile=percentile,
        scale=layer.scale,
        relative_error=relative_error(layer.activations(spikes), activations),
        saturated=(activations > layer.scale * layer.most).float().mean().item(),
        firing_rate=spikes.sum(dtype=torch.int64).item() / spikes.numel(),
    )
    return _Fitted(layer, spikes, fit)


def _better(one: _Fitted | None, other: _Fitted) -> _Fitted:
    return other if one is None or other.fit.relative_error < one.fit.relative_error else one


def _corrected(
    found: _Fitted, activations: Float[Tensor, "n o y x"], config: ConversionConfig
) -> IFLayer:
    """Add to each channel's bias what its mean activation lacks."""
    layer = found.layer
    lacking = (activations - layer.activations(found.spikes)).mean(dim=(0, 2, 3))
    bias = layer.connection.bias + lacking * (layer.threshold / layer.scale)
    if config.weight_bits is not None:
        bias = bias.round()
    return replace(layer, connection=replace(layer.connection, bias=bias))
