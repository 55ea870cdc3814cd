"""Everything that reads files of others, and files that are whole to begin with."""

import io
import json
import tarfile
import time
import zipfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import yaml
from PIL import Image
from torch import Tensor

from benchmarks.fuzz.mutate import mutated
from benchmarks.fuzz.reseal import resealed
from deepstdp.checkpoint import Keeper, Position, restore_checkpoint
from deepstdp.config import Config, DataConfig, EvaluationConfig, ReductionConfig, TrainingConfig
from deepstdp.config.deployment import ConversionConfig
from deepstdp.config_files import dump_config, load_config
from deepstdp.data import load_dataset
from deepstdp.data.feature_file import read_features
from deepstdp.data.fingerprint import fingerprint
from deepstdp.data.unlabelled import load_unlabelled
from deepstdp.deployment.exchange.nir_file import read_nir
from deepstdp.deployment.exchange.replay import replay
from deepstdp.deployment.exchange.spiking import export_nir
from deepstdp.deployment.run import convert_run
from deepstdp.deployment.saved import load_all_spiking
from deepstdp.files import load_tensors, save_tensors
from deepstdp.interruption import Interrupted, StopRequest
from deepstdp.model import build_model, load_model
from deepstdp.pipeline import Loop
from deepstdp.progress import SILENT
from deepstdp.report.page.health import warnings
from deepstdp.report.page.table import method_table
from deepstdp.report.page.verdict import verdict
from deepstdp.report.reading import RunView, group_runs
from deepstdp.report.terminal import draw
from deepstdp.run_dir import RunDir
from deepstdp.runner import run_experiment
from deepstdp.study.reading import read_study
from deepstdp.study.results import read_results

_FRONT = (1, 16, 16)
"""What the first layer of ``_run`` receives."""


@dataclass(frozen=True)
class Loader:
    """What reads a kind of file.

    Attributes:
        whole: makes some files that are whole, in a folder.
        load: reads one.
        damage: changes the content of one.
    """

    whole: Callable[[Path], list[Path]]
    load: Callable[[Path], object]
    damage: Callable[[bytes, np.random.Generator], bytes] = mutated


def _images(folder: Path) -> list[Path]:
    pixels = np.random.default_rng(0).integers(0, 256, (9, 12, 3), dtype=np.uint8)
    image, paths = Image.fromarray(pixels), []
    for mode in ("RGB", "L", "P", "RGBA", "1", "I;16"):
        for kind in ("png", "jpeg", "bmp", "gif", "webp", "tiff", "ppm"):
            path = folder / f"{mode.replace(';', '')}.{kind}"
            deep = Image.fromarray(pixels[:, :, 0].astype(np.uint16) * 256)
            try:
                (deep if mode == "I;16" else image.convert(mode)).save(path, kind.upper())
            except (OSError, ValueError, KeyError):  # no such image of this kind
                path.unlink(missing_ok=True)
            else:
                paths.append(path)
    return paths


def _members() -> dict[str, bytes]:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), (10, 200, 30)).save(buffer, "PNG")
    names = [f"{split}/{name}/{i}" for split in ("train", "val") for name in "ab" for i in range(3)]
    return {f"{name}.png": buffer.getvalue() for name in names}


def _zips(folder: Path) -> list[Path]:
    paths = [folder / "stored.zip", folder / "deflated.zip", folder / "tiny.zip"]
    tiny = {
        "wnids.txt": b"a\nb\n",
        "val/val_annotations.txt": b"0.png\ta\t0\n1.png\tb\t0\n",
    }
    image = next(iter(_members().values()))
    for i, wnid in enumerate("ab"):
        tiny |= {f"train/{wnid}/images/{j}.png": image for j in range(3)}
        tiny[f"val/images/{i}.png"] = image
    methods = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_DEFLATED)
    for path, method, content in zip(paths, methods, (_members(), _members(), tiny), strict=True):
        with zipfile.ZipFile(path, "w", method) as archive:
            for name, data in content.items():
                archive.writestr(name, data)
    return paths


def _tars(folder: Path) -> list[Path]:
    paths = []
    for kind in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        path = folder / f"{kind}.tar"
        with tarfile.open(path, "w", format=kind) as archive:
            for i, content in enumerate(_members().values()):
                name = f"{i}" * (150 if i == 1 and kind != tarfile.USTAR_FORMAT else 1)
                for ending, data in ((".png", content), (".cls", str(i % 2).encode())):
                    member = tarfile.TarInfo(name + ending)
                    member.size = len(data)
                    archive.addfile(member, io.BytesIO(data))
        paths.append(path)
    return paths


def _image_set(path: Path) -> object:
    return load_dataset(DataConfig(source=str(path), image_size=8), 0, SILENT)


def _arrays(folder: Path) -> list[Path]:
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (12, 8, 8, 3), dtype=np.uint8), np.arange(12) % 3
    np.save(folder / "a.npy", images)
    np.savez(folder / "b.npz", images=images, labels=labels)
    np.savez_compressed(
        folder / "c.npz", x_train=images, y_train=labels, x_test=images, y_test=labels
    )
    return sorted(folder.iterdir())


def _features(folder: Path) -> list[Path]:
    features = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)
    np.save(folder / "a.npy", features)
    np.savez(folder / "b.npz", features=features, labels=np.arange(20))
    np.savetxt(folder / "c.csv", features, delimiter=",")
    return sorted(folder.iterdir())


def _configs(folder: Path) -> list[Path]:
    (folder / "whole.yaml").write_text(dump_config(Config()))
    some = {"seed": 3, "data": {"classes": "first-3"}, "training": {"epochs": 2}}
    (folder / "some.yaml").write_text(yaml.safe_dump(some))
    return sorted(folder.glob("*.yaml"))


def _studies(folder: Path) -> list[Path]:
    (folder / "base.yaml").write_text("{}")
    space = {"training.learning_rate": {"low": 0.01, "high": 0.1, "log": True}}
    study = {
        "base": "base.yaml",
        "seeds": [0, 1],
        "baseline": "a",
        "variants": {"a": {"clustering.method": "kmeans"}, "b": {"tuned_as": "a"}},
        "subsets": {"few": ["1", "2"]},
        "panels": {"all": ["a", "b"]},
        "tuning": {"n_trials": 3, "seed": 9, "variants": {"a": space}},
    }
    (folder / "study.yaml").write_text(yaml.safe_dump(study))
    return [folder / "study.yaml"]


_RESULTS = {"name": "a", "title": "a", "subsets": {}, "panels": {}, "over_subsets": {}}


def _results(folder: Path) -> list[Path]:
    (folder / "a.json").write_text(json.dumps(_RESULTS))
    return [folder / "a.json"]


_CONFIG = Config(
    data=DataConfig(image_size=16, classes="first-2"),
    reduction=ReductionConfig(n_components=8),
    training=TrainingConfig(epochs=1),
    evaluation=EvaluationConfig(every=0),
    accelerator="cpu",
)


def _run(folder: Path) -> RunDir:
    return run_experiment(_CONFIG, folder / "run")


def _run_files(folder: Path) -> list[Path]:
    run = _run(folder)
    return [run.path / f"{name}.safetensors" for name in ("weights", "clustering")]


def _load_run(path: Path) -> None:
    model, shape = load_model(RunDir.open(path.parent))
    model.assign(torch.zeros(2, *shape, dtype=torch.uint8))


def _loop(run: RunDir) -> tuple[Loop, str]:
    """A run that has not begun, and its images' fingerprint."""
    dataset = load_dataset(_CONFIG.data, _CONFIG.seed, SILENT)
    model = build_model(_CONFIG, dataset.train.images, SILENT)
    return Loop(_CONFIG, dataset, model, SILENT, run.path), fingerprint(dataset)


def _checkpoints(folder: Path) -> list[Path]:
    """One in the middle of an epoch."""
    run, stop = RunDir.create(folder / "run", _CONFIG), StopRequest()
    loop, known_by = _loop(run)
    keeper = Keeper(run, loop, Position(images=known_by), stop, time.perf_counter())

    def stop_at_the_third(step: int, loss_sum: Tensor) -> None:
        stop.is_made = step == 3
        keeper.after_step(step, loss_sum)

    with suppress(Interrupted):
        loop.learn(1, after_step=stop_at_the_third)
    return run.checkpoints()


def _resume(path: Path) -> None:
    """Take a checkpoint up, and finish its epoch."""
    run = RunDir.open(path.parent.parent)
    loop, known_by = _loop(run)
    position = restore_checkpoint(run, loop, known_by, SILENT)
    if position.begun.step > 0:
        loop.learn(position.epoch + 1, position.begun)


def _run_records(folder: Path) -> list[Path]:
    run = _run(folder)
    return [
        run.path / name for name in ("config.yaml", "metrics.jsonl", "summary.json", "examples.npz")
    ]


def _read_records(path: Path) -> None:
    run = RunDir.open(path.parent)
    view = RunView.read(run)
    groups = group_runs([view])
    verdict(groups)
    warnings(view)
    method_table(groups)
    _ = view.examples
    draw(run)


def _tensors(folder: Path) -> list[Path]:
    save_tensors(folder / "a.safetensors", {"a": torch.arange(6.0).reshape(2, 3)}, {"b": [1]})
    return [folder / "a.safetensors"]


def _nir(folder: Path) -> list[Path]:
    path = folder / "a.nir"
    export_nir(_run(folder), "nir", ConversionConfig(timesteps=4), path)
    return [path]


def _replay(path: Path) -> None:
    file = read_nir(path)
    file.code.encode(torch.zeros(1, *_FRONT), min(file.n_steps, 4))
    images = np.zeros((1, *_FRONT), dtype=np.float32)
    replay(file.graph, images, min(file.n_steps, 4), file.dt, file.reset, file.multispike)


def _spiking(folder: Path) -> list[Path]:
    out = folder / "spiking"
    convert_run(_run(folder), ConversionConfig(timesteps=4), out)
    return sorted(out.glob("*.safetensors"))


def _run_spiking(path: Path) -> None:
    pipeline = load_all_spiking(path.parent)
    pipeline.clusters(torch.zeros(1, *_FRONT))


LOADERS = {
    "image": Loader(_images, lambda path: load_unlabelled([path], 3, 8, "stop", SILENT)),
    "zip": Loader(_zips, _image_set),
    "tar": Loader(_tars, _image_set),
    "arrays of images": Loader(_arrays, _image_set),
    "feature vectors": Loader(_features, read_features),
    "config": Loader(_configs, load_config),
    "study": Loader(_studies, read_study),
    "results": Loader(_results, read_results),
    "tensors": Loader(_tensors, load_tensors),
    "run: weights": Loader(_run_files, _load_run),
    "run: resealed weights": Loader(_run_files, _load_run, resealed),
    "checkpoint": Loader(_checkpoints, _resume),
    "checkpoint: resealed": Loader(_checkpoints, _resume, resealed),
    "run: records": Loader(_run_records, _read_records),
    "spiking network": Loader(_spiking, _run_spiking),
    "spiking network: resealed": Loader(_spiking, _run_spiking, resealed),
    "nir": Loader(_nir, _replay),
}
