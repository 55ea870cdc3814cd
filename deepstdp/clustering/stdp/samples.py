"""Samples of any kind, handed out batch by batch as what the neurons are presented."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Int64, Shaped
from torch import Tensor

from deepstdp.errors import UserError
from deepstdp.spiking import encoding
from deepstdp.spiking.encoding import SpikeKeys
from deepstdp.spiking.inputs import Input, RateInput, SpikeInput
from deepstdp.spiking.receptors import Receptors


class Samples:
    """Features (N, P) or spikes (N, T, D), in a tensor, an array or a memory map.

    Events are spikes as a sparse tensor, ``torch.sparse_coo_tensor([sample, step, channel], ...)``.

    Only the rows that are asked for are copied, so a memory map may be larger than memory.

    Args:
        data: numbers; of spikes, anything but zero is one.
        engine: of the layer: ``cuda`` takes arrays to the GPU batch by batch.

    Raises:
        UserError: neither two nor three dimensions, nothing in one of them, or numbers that are
            not finite.
    """

    def __init__(self, data: Any, engine: str = "auto") -> None:
        if data.ndim not in (2, 3):
            raise UserError(
                f"expected (N, P) features or (N, T, D) spikes, got {data.ndim} dimension(s): "
                "reshape your data"
            )
        if 0 in data.shape:
            raise UserError(f"there is nothing to cluster in data of shape {tuple(data.shape)}")
        self.is_tensor = isinstance(data, Tensor)
        self._data = data.detach() if self.is_tensor else data
        self.is_spikes = data.ndim == 3
        on_gpu = engine == "cuda" and torch.cuda.is_available()
        self.device = data.device if self.is_tensor else torch.device("cuda" if on_gpu else "cpu")
        # A sum is finite if all its parts are; only else do they need to be looked at one by one.
        known_finite = not self.is_tensor or self.is_spikes or bool(torch.isfinite(data.sum()))
        if not known_finite and not torch.isfinite(data).all():
            raise UserError("the features contain NaN or infinity")

    def __len__(self) -> int:
        return len(self._data)

    @property
    def n_features(self) -> int:
        """P, or D."""
        return self._data.shape[-1]

    @property
    def n_timesteps(self) -> int | None:
        """T of spikes; features leave it open."""
        return self._data.shape[1] if self.is_spikes else None

    @property
    def float_dtype(self) -> torch.dtype:
        """Of results that are no labels: double for double features, else single."""
        return torch.float64 if "float64" in str(self._data.dtype) else torch.float32

    def rows(self, ids: Int64[Tensor, "b"]) -> Shaped[Tensor, "b ..."]:
        """Some of the samples, on the device."""
        if self.is_tensor:
            rows = self._data.index_select(0, ids)
            return rows.to_dense() if rows.is_sparse else rows
        return torch.from_numpy(np.array(self._data[ids.cpu().numpy()])).to(self.device)

    def inputs(
        self, ids: Int64[Tensor, "b"], receptors: Receptors | None, keys: SpikeKeys | int
    ) -> Input:
        """What the neurons are presented of some of the samples.

        Args:
            ids: which.
            receptors: of the features; None for spikes.
            keys: of the spikes, or the seed with which each sample's own rates make them.
        """
        rows = self.rows(ids)
        if receptors is None:
            return SpikeInput(encoding.pack(rows))
        signed = receptors.rates(rows)
        if isinstance(keys, int):
            keys = encoding.predict_keys(keys, signed)
        return RateInput(signed, keys)

    def like_data(self, result: Shaped[Tensor, "..."]) -> Tensor | np.ndarray:
        """A tensor for tensors, an array for arrays."""
        return result if self.is_tensor else result.cpu().numpy()
