"""Small data that tests make for themselves."""

import os
import shutil
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import settings

if not torch.cuda.is_available():
    # Triton reads this when it is imported: its kernels then run on the CPU.
    os.environ.setdefault("TRITON_INTERPRET", "1")

from deepstdp.config import DataConfig  # noqa: E402
from deepstdp.data import Dataset, load_dataset  # noqa: E402
from tests.broken_runs import BeforeStep  # noqa: E402
from tests.documents import ROOT
from tests.helpers import image_bytes  # noqa: E402

# How long an example takes is the machine's business, which may be busy.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")


@pytest.fixture(scope="session")
def few_digits() -> Dataset:
    """300 and 100 digits of 8 x 8."""
    data = load_dataset(DataConfig(image_size=8), seed=0)
    train, val = data.train.select(np.arange(300)), data.val.select(np.arange(100))
    return replace(data, train=train, val=val)


@pytest.fixture
def three_blocks(monkeypatch) -> None:
    """A vgg-small for images of 8 x 8, which are too small for four poolings."""
    plan = ((8,), (16,), (24,))
    monkeypatch.setattr("deepstdp.backbones.network._BUILT_IN", {"vgg-small": (plan, None)})


@pytest.fixture
def class_folder(tmp_path: Path) -> Path:
    """Three classes of ten images."""
    root = tmp_path / "pictures"
    for c, name in enumerate(("ant", "bee", "cat")):
        (root / name).mkdir(parents=True)
        for i in range(10):
            (root / name / f"{i}.png").write_bytes(image_bytes(40 + 70 * c + i))
    return root


@pytest.fixture
def tiny_zip(tmp_path: Path) -> Path:
    """Four classes in the layout of tiny-imagenet-200.zip."""
    path = tmp_path / "tiny.zip"
    wnids = ["n04", "n01", "n03", "n02"]
    annotations = []
    with zipfile.ZipFile(path, "w") as archive:
        top = "tiny-imagenet-200/"
        archive.writestr(top + "wnids.txt", "\n".join(wnids) + "\n")
        words = "n00\tentity\nn01\tgoldfish, Carassius auratus\nn02\tnewt, eft\nn03\tnewt\n"
        archive.writestr(top + "words.txt", words)
        for c, wnid in enumerate(wnids):
            for i in range(8):
                name = f"{top}train/{wnid}/images/{wnid}_{i}.JPEG"
                archive.writestr(name, image_bytes(50 * c + i, kind="JPEG"))
            for i in range(2):
                file = f"val_{2 * c + i}.JPEG"
                archive.writestr(
                    f"{top}val/images/{file}", image_bytes(50 * c + 20 + i, kind="JPEG")
                )
                annotations.append(f"{file}\t{wnid}\t0\t0\t9\t9\n")
        archive.writestr(top + "val/val_annotations.txt", "".join(annotations))
    return path


@pytest.fixture
def workplace(
    tmp_path: Path, tiny_zip: Path, class_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """The current folder, with what the commands of the documents name."""
    for folder in ("configs", "studies", "benchmarks/results"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    tiny_zip.rename(tmp_path / "tiny-imagenet-200.zip")
    class_folder.rename(tmp_path / "photos")
    (tmp_path / "new-photos").mkdir()
    (tmp_path / "new-photos" / "1.png").write_bytes(image_bytes(77))
    features = np.random.default_rng(0).normal(size=(200, 16))
    np.savez(tmp_path / "features.npz", features=features)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def before_step() -> Iterator[BeforeStep]:
    """What happens before a step of a run."""
    watch = BeforeStep()
    yield watch
    watch.clear()
