"""Batch normalisation over the batches of all processes."""

from typing import Any

import torch
import torch.distributed as dist
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


def synchronise_batch_norm(network: nn.Module, device: torch.device) -> nn.Module:
    """The network with statistics that are taken over the whole batch, whoever holds it.

    On CUDA by torch's own ``SyncBatchNorm``, elsewhere, where that does not work, by ours.
    """
    if device.type == "cuda":
        return nn.SyncBatchNorm.convert_sync_batchnorm(network)
    for name, child in list(network.named_children()):
        if isinstance(child, _BatchNorm):
            setattr(network, name, SyncedBatchNorm(child))
        else:
            synchronise_batch_norm(child, device)
    return network


class _Total(torch.autograd.Function):
    """The sum over processes, whose gradient is the sum over processes too."""

    @staticmethod
    def forward(ctx: Any, x: Float[Tensor, "n"]) -> Float[Tensor, "n"]:
        """All-reduce of a copy."""
        result = x.clone()
        dist.all_reduce(result)
        return result

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Float[Tensor, "n"]:
        """The other processes' losses depend on this one's share as well."""
        return _Total.forward(ctx, gradients[0].contiguous())


def total(x: Float[Tensor, "n"]) -> Float[Tensor, "n"]:
    """The sum over processes, to be differentiated."""
    return _Total.apply(x)


class SyncedBatchNorm(_BatchNorm):
    """y = (x - mean) / sqrt(var + eps) * w + b, with mean and var over all processes.

    Args:
        like: the layer that it replaces; parameters and buffers stay the same objects.
    """

    def __init__(self, like: _BatchNorm) -> None:
        super().__init__(
            like.num_features, like.eps, like.momentum, like.affine, like.track_running_stats
        )
        self._parameters, self._buffers = like._parameters, like._buffers

    def _check_input_dim(self, input: Tensor) -> None:
        """Anything with channels in the second place will do."""

    def forward(self, input: Float[Tensor, "b c ..."]) -> Float[Tensor, "b c ..."]:
        """Normalise by the batch in training, else by the running statistics."""
        if not self.training:
            return super().forward(input)
        if input.dtype in (torch.float16, torch.bfloat16):  # too coarse to count in
            return self.forward(input.float()).to(input.dtype)
        others = [0, *range(2, input.ndim)]
        shape = [1, -1] + [1] * (input.ndim - 2)
        count = input.new_tensor([input.numel() / input.shape[1]])
        sums = total(torch.cat([input.sum(dim=others), count]))
        n = sums[-1].detach()
        mean = sums[:-1] / n
        centred = input - mean.view(shape)
        variance = total(centred.square().sum(dim=others)) / n
        self._track(mean.detach(), variance.detach() * n / (n - 1))
        scale = torch.rsqrt(variance + self.eps)
        if self.affine:
            scale = scale * self.weight
        result = centred * scale.view(shape)
        return result + self.bias.view(shape) if self.affine else result

    @torch.no_grad()
    def _track(self, mean: Float[Tensor, "c"], variance: Float[Tensor, "c"]) -> None:
        """Running statistics; without a momentum, the mean of all batches."""
        if self.running_mean is None or self.running_var is None:
            return
        assert self.num_batches_tracked is not None
        self.num_batches_tracked += 1
        share = 1 / self.num_batches_tracked if self.momentum is None else self.momentum
        self.running_mean += share * (mean - self.running_mean)
        self.running_var += share * (variance - self.running_var)
