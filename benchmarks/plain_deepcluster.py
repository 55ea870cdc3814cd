"""DeepCluster as one would write it from the paper: the opponent of ``benchmarks.training``.

Images are decoded by PIL in persistent worker processes, cropped and flipped there, learnt in
single precision (with TF32 where there is such a thing); features go to the host, where
scikit-learn fits a full PCA and k-means each epoch; the head is made anew. The network, the
settings of learning and the numbers of clusters, components and Lloyd iterations are those of the
config, so that what differs is how the work is done.
"""

import io
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

from deepstdp.backbones import build_network
from deepstdp.config import Config
from deepstdp.data.classes import select_classes
from deepstdp.data.file_tree import open_tree, read_text
from deepstdp.training.sampling import epoch_order

STAGES = ("features", "reduction", "clustering", "training")


class Files(Dataset):
    """Training images of Tiny ImageNet, decoded each time; augmented or as they are."""

    def __init__(self, config: Config, names: list[str]) -> None:
        self.path, self.names = Path(config.data.source), names
        self.size, self.augmentation = config.data.image_size, config.augmentation
        self._archive: zipfile.ZipFile | None = None

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, item: tuple[int, bool]) -> tuple[torch.Tensor, int]:
        """An image, and its index; the flag says whether it is augmented."""
        index, augmented = item
        self._archive = self._archive or zipfile.ZipFile(self.path)
        with Image.open(io.BytesIO(self._archive.read(self.names[index]))) as file:
            image = file.convert("RGB")
        size = (self.size or image.width,) * 2
        if augmented:
            image = self._crop(image).resize(size, Image.Resampling.BILINEAR)
            if torch.rand(()) < self.augmentation.flip:
                image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        elif image.size != size:
            image = image.resize(size, Image.Resampling.BILINEAR)
        pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1)
        return pixels.to(torch.float32) / 255, index

    def _crop(self, image: Image.Image) -> Image.Image:
        (low, high), (flat, tall) = self.augmentation.crop_scale, self.augmentation.crop_ratio
        draws = torch.rand(4).tolist()
        share = low + (high - low) * draws[0]
        ratio = float(np.exp(np.log(flat) + (np.log(tall) - np.log(flat)) * draws[1]))
        width = min(image.width, round(image.width * (share * ratio) ** 0.5))
        height = min(image.height, round(image.height * (share / ratio) ** 0.5))
        left = round(draws[2] * (image.width - width))
        top = round(draws[3] * (image.height - height))
        return image.crop((left, top, left + width, top + height))


class Batches:
    """A batch sampler whose batches change from epoch to epoch: workers can persist."""

    def __init__(self, size: int) -> None:
        self.size, self.order, self.augmented = size, np.arange(0), False

    def __iter__(self) -> Any:
        for start in range(0, len(self.order), self.size):
            yield [(int(i), self.augmented) for i in self.order[start : start + self.size]]

    def __len__(self) -> int:
        return -(-len(self.order) // self.size)


def train_names(config: Config) -> list[str]:
    """Names inside the zip of the training images of the chosen classes."""
    tree = open_tree(Path(config.data.source))
    wnids = set(select_classes(read_text(tree, "wnids.txt").split(), config.data.classes))
    with zipfile.ZipFile(config.data.source) as archive:
        names = sorted(archive.namelist())
    parts = [(name, name.split("/")) for name in names if name.lower().endswith(".jpeg")]
    return [name for name, part in parts if "train" in part and wnids & set(part)]


class PlainLoop:
    """The loop; ``epoch`` gives the seconds of each stage.

    Args:
        config: the experiment, from a Tiny ImageNet zip.
        device: where the network is.
        n_workers: processes that decode.
    """

    def __init__(self, config: Config, device: torch.device, n_workers: int) -> None:
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
        self.config, self.device = config, device
        self.files = Files(config, train_names(config))
        self.batches = Batches(config.training.batch_size)
        self.loader: DataLoader = DataLoader(
            self.files,
            batch_sampler=self.batches,  # type: ignore[arg-type]
            num_workers=n_workers,
            persistent_workers=n_workers > 0,
            pin_memory=device.type == "cuda",
        )
        some = torch.stack([self.files[i, False][0] for i in range(0, len(self.files), 10)])
        self.files._archive = None  # each worker opens its own
        pixels = (some * 255).to(torch.uint8)
        k = config.clustering.n_clusters
        self.network: nn.Module = build_network(config.backbone, pixels, k, config.seed).to(device)
        training = config.training
        self.optimizer = torch.optim.SGD(
            self.network.parameters(),
            training.learning_rate,
            training.momentum,
            weight_decay=training.weight_decay,
        )

    def _shown(self, order: np.ndarray, augmented: bool) -> Any:
        self.batches.order, self.batches.augmented = order, augmented
        for images, indices in self.loader:
            yield images.to(self.device, non_blocking=True), indices

    def features(self) -> np.ndarray:
        """Of all images, on the host."""
        self.network.eval()
        every = np.arange(len(self.files))
        with torch.no_grad():
            parts = [self.network.features(images).cpu() for images, _ in self._shown(every, False)]
        return torch.cat(parts).numpy()

    def epoch(self, number: int) -> dict[str, float]:
        """Cluster and learn once."""
        config, marks = self.config, [time.perf_counter()]
        features = self.features()
        marks.append(time.perf_counter())
        n_components = min(config.reduction.n_components, *features.shape)
        pca = PCA(n_components, whiten=True, svd_solver="covariance_eigh")
        reduced = pca.fit_transform(features)
        reduced /= np.linalg.norm(reduced, axis=1, keepdims=True)
        marks.append(time.perf_counter())
        kmeans = KMeans(
            config.clustering.n_clusters,
            n_init=1,
            max_iter=config.clustering.kmeans.n_iterations,
            random_state=number,
        )
        labels = torch.from_numpy(kmeans.fit_predict(reduced).astype(np.int64))
        marks.append(time.perf_counter())
        self.network.reset_head(config.seed, number)
        self._train(labels, epoch_order(labels, "uniform", config.seed, number).numpy())
        if self.device.type == "cuda":
            torch.cuda.synchronize()
        marks.append(time.perf_counter())
        return dict(zip(STAGES, np.diff(marks).tolist(), strict=True))

    def _train(self, labels: torch.Tensor, order: np.ndarray) -> None:
        self.network.train()
        for images, indices in self._shown(order, True):
            features = self.network.features(images)
            features = functional.dropout(features, self.config.training.dropout)
            loss = functional.cross_entropy(
                self.network.head(features), labels[indices].to(self.device)
            )
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
