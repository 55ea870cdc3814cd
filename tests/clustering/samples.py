"""What clusterers are given."""

import numpy as np
import torch
from sklearn.datasets import make_blobs


def blobs(n=400, k=5):
    x, y = make_blobs(n, 12, centers=k, cluster_std=0.8, random_state=0)
    x = torch.from_numpy(x.astype(np.float32))
    return torch.nn.functional.normalize(x - x.mean(dim=0), dim=1), y


def parts(x: torch.Tensor, group) -> torch.Tensor:
    """The rows of a process."""
    own = group.shard(len(x))
    return x[own.start : own.stop]
