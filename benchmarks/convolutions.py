"""The layers of a network alone: what training would take were it convolutions only."""

import time
from dataclasses import dataclass

import torch
from torch import nn

from deepstdp.backbones import Network


@dataclass(frozen=True)
class LayerShape:
    """A convolution or linear layer, and what comes in."""

    layer: nn.Module
    shape: tuple[int, ...]
    is_first: bool

    @property
    def macs(self) -> int:
        """Multiplications of a forward pass."""
        with torch.no_grad():
            out = self.layer(torch.zeros(1, *self.shape[1:], **_like(self.layer)))
        return out.numel() * self.layer.weight[0].numel() * self.shape[0]


def learnt_layers(network: Network, images: torch.Tensor) -> list[LayerShape]:
    """The layers of the backbone that learn, as a batch of images meets them."""
    found: list[LayerShape] = []

    def note(layer: nn.Module, inputs: tuple[torch.Tensor]) -> None:
        found.append(LayerShape(layer, tuple(inputs[0].shape), is_first=not found))

    layers = [m for m in network.backbone.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    hooks = [layer.register_forward_pre_hook(note) for layer in layers]
    with torch.no_grad():
        network.features(images)
    for hook in hooks:
        hook.remove()
    return found


def seconds_alone(layers: list[LayerShape], precision: torch.dtype, repeats: int = 8) -> float:
    """Forward and backward passes of each layer by itself, summed; the mean of some."""
    return sum(_seconds(layer, precision, repeats) for layer in layers)


def _seconds(layer: LayerShape, precision: torch.dtype, repeats: int) -> float:
    x = torch.randn(layer.shape, **_like(layer.layer))
    if x.ndim == 4:
        x = x.contiguous(memory_format=torch.channels_last)
    x.requires_grad_(not layer.is_first)  # nobody asks for the gradient of the images
    autocast = torch.autocast(x.device.type, precision, enabled=precision != torch.float32)
    with autocast:
        gradient = torch.randn_like(layer.layer(x))
    start = 0.0
    for turn in range(repeats + 1):
        if turn == 1:  # the first is not counted
            _wait(x.device)
            start = time.perf_counter()
        layer.layer.zero_grad(set_to_none=True)
        with autocast:
            layer.layer(x).backward(gradient)
    _wait(x.device)
    return (time.perf_counter() - start) / repeats


def _like(layer: nn.Module) -> dict[str, torch.device | torch.dtype]:
    return {"device": layer.weight.device, "dtype": layer.weight.dtype}


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
