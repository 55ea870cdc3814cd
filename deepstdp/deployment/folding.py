"""A trained ConvNet as a chain of convolutions with a ReLU, plain or clipped, behind each.

BatchNorm and average pooling are linear, so both fold into the weights: a 3x3 convolution and the
2x2 pooling behind it are one 4x4 convolution of stride 2, with 2.25 times fewer synapses and no
pooling that a reader of the exported file could get wrong. A linear layer is a convolution whose
kernel covers its whole input.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from deepstdp.backbones.clipped_relu import ClippedReLU, clipped
from deepstdp.errors import UserError

Shape = tuple[int, int, int]
"""(C, H, W)."""

_NOTHING = (nn.Flatten, nn.Identity, nn.Dropout, nn.Dropout2d)
"""What changes no value once training is over."""


@dataclass(frozen=True)
class Connection:
    """The synapses from one layer to the next: a convolution.

    Attributes:
        weight: (O, I, k, l).
        bias: (O,).
        stride: of both axes.
        padding: zeros around the input.
        shape: (I, H, W) of the input.
        ceiling: of the clipped ReLU behind it, with ``levels``; None for a plain one.
        levels: see ``ceiling``.
    """

    weight: Float[Tensor, "o i k l"]
    bias: Float[Tensor, "o"]
    stride: int
    padding: int
    shape: Shape
    ceiling: float | None = None
    levels: int = 0

    def __call__(self, x: Float[Tensor, "b i h w"]) -> Float[Tensor, "b o y x"]:
        """The currents that inputs make."""
        with _single_precision(x.device):
            return functional.conv2d(x, self.weight, self.bias, self.stride, self.padding)

    def activations(self, x: Float[Tensor, "b i h w"]) -> Float[Tensor, "b o y x"]:
        """What the ReLU behind makes of them."""
        currents = self(x)
        if self.ceiling is None:
            return currents.relu()
        return clipped(currents, self.ceiling, self.levels)

    @property
    def out_shape(self) -> Shape:
        """(O, Y, X) of the output."""
        out, _, *kernel = self.weight.shape
        height, width = (
            (side + 2 * self.padding - k) // self.stride + 1
            for side, k in zip(self.shape[1:], kernel, strict=True)
        )
        return out, height, width

    def fan_out(self) -> Float[Tensor, "i h w"]:
        """How many neurons each input reaches; zeros of the padding reach none."""
        ones = self.weight.new_ones(1, *self.out_shape)
        kernel = torch.ones_like(self.weight)
        size = [
            (n - 1) * self.stride + k - 2 * self.padding
            for n, k in zip(self.out_shape[1:], self.weight.shape[2:], strict=True)
        ]
        # Rows and columns that no stride reaches have no output at all.
        rest = [side - n for side, n in zip(self.shape[1:], size, strict=True)]
        return functional.conv_transpose2d(
            ones, kernel, stride=self.stride, padding=self.padding, output_padding=rest
        )[0].round()  # some convolutions of a GPU are not exact

    @property
    def n_synapses(self) -> int:
        """Multiplications that the layer takes for an image."""
        return int(self.fan_out().sum(dtype=torch.int64))


def _single_precision(device: torch.device) -> AbstractContextManager[None]:
    """A GPU rounds factors to 10 bits (TF32) unless told; membranes add up such errors."""
    if device.type != "cuda":
        return nullcontext()
    cudnn = torch.backends.cudnn
    names = ("enabled", "benchmark", "benchmark_limit", "deterministic")
    return cudnn.flags(**{name: getattr(cudnn, name) for name in names}, allow_tf32=False)


def fold(backbone: nn.Module, shape: Shape) -> list[Connection]:
    """The chain that computes what the backbone computes in eval mode.

    Args:
        backbone: ``nn.Sequential`` of convolutions, linear layers, BatchNorm, average pooling,
            flattening and dropout, with a ReLU behind each learnt layer, the last included.
        shape: of the images behind the front end.

    Raises:
        UserError: something else, which has no counterpart among integrate-and-fire neurons.
    """
    chain: list[Connection] = []
    pending: Connection | None = None
    pool, here = 1, shape
    for layer in _leaves(backbone):
        if isinstance(layer, nn.Conv2d | nn.Linear):
            _require(pending is None, "two learnt layers without a ReLU between them")
            pending, pool = _behind_pool(_connection(layer, here), here, pool), 1
        elif isinstance(layer, nn.BatchNorm2d | nn.BatchNorm1d):
            _require(pending is not None, "BatchNorm that follows no learnt layer")
            assert pending is not None
            pending = _normalised(pending, layer)
        elif isinstance(layer, nn.AvgPool2d):
            size = _pool_size(layer, here if pending is None else pending.out_shape)
            if pending is None:
                pool *= size
                here = (here[0], here[1] // size, here[2] // size)
            else:
                pending = _pooled(pending, size)
        elif isinstance(layer, nn.ReLU | ClippedReLU):
            _require(pending is not None, "a ReLU that follows no learnt layer")
            assert pending is not None
            chain.append(_activated(pending, layer))
            here, pending = pending.out_shape, None
        else:
            _require(isinstance(layer, _NOTHING), type(layer).__name__)
    _require(bool(chain) and pending is None and pool == 1, "a last layer that is no ReLU")
    device = next(backbone.parameters()).device
    return [
        replace(c, weight=c.weight.to(device, torch.float32), bias=c.bias.to(device, torch.float32))
        for c in chain
    ]


def _leaves(module: nn.Module) -> Iterator[nn.Module]:
    if isinstance(module, nn.Sequential):
        for child in module:
            yield from _leaves(child)
    else:
        yield module


def _connection(layer: nn.Conv2d | nn.Linear, shape: Shape) -> Connection:
    # In double precision, on the CPU, until everything is folded.
    weight = layer.weight.detach().cpu().double()
    bias = layer.bias
    bias = weight.new_zeros(len(weight)) if bias is None else bias.detach().cpu().double()
    if isinstance(layer, nn.Linear):
        n_inputs = shape[0] * shape[1] * shape[2]
        _require(layer.in_features == n_inputs, "a linear layer that does not see all units")
        return Connection(weight.reshape(len(weight), *shape), bias, 1, 0, shape)
    stride, padding = set(layer.stride), layer.padding
    plain = layer.groups == 1 and set(layer.dilation) == {1} and layer.padding_mode == "zeros"
    _require(
        plain and len(stride) == 1 and not isinstance(padding, str) and len(set(padding)) == 1,
        "a convolution with groups, dilation, or unequal or named strides or paddings",
    )
    return Connection(weight, bias, stride.pop(), int(padding[0]), shape)


def _behind_pool(connection: Connection, pooled: Shape, pool: int) -> Connection:
    """Average pooling, then the connection: each weight shared out over a window."""
    if pool == 1:
        return connection
    window = connection.weight.new_full((pool, pool), 1 / pool**2)
    return Connection(
        torch.kron(connection.weight, window[None, None]),
        connection.bias,
        connection.stride * pool,
        connection.padding * pool,
        (pooled[0], pooled[1] * pool, pooled[2] * pool),
    )


def _pooled(connection: Connection, pool: int) -> Connection:
    """The connection, then average pooling: the mean of its kernels at the window's places."""
    stride, (height, width) = connection.stride, connection.weight.shape[2:]
    reach = stride * (pool - 1)
    weight = connection.weight.new_zeros(
        *connection.weight.shape[:2], height + reach, width + reach
    )
    for y in range(0, reach + 1, stride):
        for x in range(0, reach + 1, stride):
            weight[:, :, y : y + height, x : x + width] += connection.weight / pool**2
    return replace(connection, weight=weight, stride=stride * pool)


def _normalised(connection: Connection, norm: nn.BatchNorm2d | nn.BatchNorm1d) -> Connection:
    """Y = g (x - m) / sqrt(v + e) + b, with the running mean m and variance v."""
    mean, var = norm.running_mean, norm.running_var
    _require(mean is not None and var is not None, "BatchNorm without running statistics")
    assert mean is not None
    assert var is not None
    scale = (var.cpu().double() + norm.eps).rsqrt()
    shift = -mean.cpu().double() * scale
    if norm.affine:
        scale = scale * norm.weight.detach().cpu()
        shift = shift * norm.weight.detach().cpu() + norm.bias.detach().cpu()
    return replace(
        connection,
        weight=connection.weight * scale[:, None, None, None],
        bias=connection.bias * scale + shift,
    )


def _activated(connection: Connection, relu: nn.ReLU | ClippedReLU) -> Connection:
    if isinstance(relu, nn.ReLU):
        return connection
    return replace(connection, ceiling=relu.bounded_ceiling.item(), levels=relu.levels)


def _pool_size(layer: nn.AvgPool2d, shape: Shape) -> int:
    sizes = {
        value
        for of in (layer.kernel_size, layer.stride)
        for value in (of if isinstance(of, tuple) else (of,))
    }
    _require(layer.divisor_override is None, "average pooling with a divisor of its own")
    paddings = layer.padding if isinstance(layer.padding, tuple) else (layer.padding,)
    _require(len(sizes) == 1 and not any(paddings), "average pooling of windows that overlap")
    size = sizes.pop()
    _require(
        shape[1] % size == 0 and shape[2] % size == 0,
        f"average pooling of {shape[1]}x{shape[2]} by {size}, which leaves a rest",
    )
    return size


def _require(condition: bool, what: str) -> None:
    if not condition:
        raise UserError(f"the network cannot become spiking: it has {what}")
