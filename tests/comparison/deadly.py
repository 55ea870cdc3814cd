"""A clusterer that ends its process, or otherwise misbehaves, as often as it is told to."""

import os
import signal
import time
from pathlib import Path

import numpy as np


class Deadly:
    """Each file in ``folder`` is one mishap to come, of the kind that its name starts with."""

    def __init__(self, folder: str, n_clusters: int = 4) -> None:
        self.folder, self.n_clusters = Path(folder), n_clusters

    def fit_predict(self, features: np.ndarray) -> np.ndarray:
        for file in self.folder.iterdir():
            try:
                file.unlink()  # for one process only
            except FileNotFoundError:
                continue
            if file.name.startswith("kill"):
                os.kill(os.getpid(), signal.SIGKILL)
            if file.name.startswith("exit"):
                os._exit(7)
            if file.name.startswith("raise"):
                raise ValueError("no clusters today")
            if file.name.startswith("hang"):
                (self.folder.parent / f"pid-{os.getpid()}").touch()
                time.sleep(600)
        return np.arange(len(features)) % self.n_clusters
