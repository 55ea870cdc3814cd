"""A run on far more images than are held: memory must not grow with them."""

import io
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

SIDE = 32
FEATURES = 32 * 4 * 4


def write_images(path: Path, n: int) -> None:
    """A flat zip of n files, of a few hundred different contents."""
    rng, contents = np.random.default_rng(0), []
    for _ in range(300):
        corners = rng.integers(0, 256, (2, 2, 3), dtype=np.uint8)
        image = Image.fromarray(corners).resize((SIDE, SIDE), Image.Resampling.BILINEAR)
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=50)
        contents.append(buffer.getvalue())
    with zipfile.ZipFile(path, "w") as archive:
        for i in range(n):
            archive.writestr(f"{i:06d}.jpg", contents[i * 7919 % len(contents)])


def peak_memory(folder: Path, n: int) -> tuple[float, float]:
    """MiB of the process, and of the largest that it started."""
    write_images(folder / f"{n}.zip", n)
    command = [
        *(sys.executable, "-m", "deepstdp", "train", "--data.source", str(folder / f"{n}.zip")),
        *("--data.loading", "stream", "--data.workers", "2", "--data.image_size", str(SIDE)),
        *("--data.validation_fraction", "0.005", "--run_dir", str(folder / f"run-{n}")),
        *("--backbone.class_path", "tests.small_backbone.Patches", "--training.epochs", "1"),
        *("--training.batch_size", "1000", "--reduction.max_samples", "2000"),
        *("--reduction.n_components", "16", "--clustering.n_clusters", "20"),
        *("--accelerator", "cpu"),
    ]
    peaks: dict[int, float] = {}
    with subprocess.Popen(command, stderr=subprocess.PIPE, start_new_session=True) as process:
        while process.poll() is None:
            peaks |= {pid: peak for pid in in_session(process.pid) if (peak := peak_of(pid))}
            time.sleep(0.2)
        assert process.returncode == 0, process.stderr.read().decode()
    return peaks.pop(process.pid), max(peaks.values())


def in_session(leader: int) -> list[int]:
    """The processes that a process started, and those that these started; and itself."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:  # gone
            continue
        if int(fields[3]) == leader:
            found.append(int(folder.name))
    return found


def peak_of(pid: int) -> float | None:
    """The most MiB that a process had in memory, shared libraries included."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) / 2**10 for line in lines if line.startswith("VmHWM")), None)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's /proc")
@pytest.mark.parametrize("n", [30_000, pytest.param(100_000, marks=pytest.mark.slow)])
def test_many_images_take_hardly_more_memory_than_three_thousand(tmp_path, n):
    few, many = (peak_memory(tmp_path, count) for count in (3_000, n))
    decoded, features = n * 3 * SIDE**2 / 2**20, n * FEATURES * 4 / 2**20
    # Names, the zip's directory, order, labels and what is reduced remain: 1 kB an image.
    print(f"MiB with 3,000 and with {n:,} images: {few}, {many}")
    most = 60 + 0.9 * n / 1_000
    assert decoded + features > 1.5 * most
    assert many[0] - few[0] < most
    assert many[1] - few[1] < 60
    labels = (tmp_path / f"run-{n}" / "labels.csv").read_text().splitlines()
    assert len(labels) == 1 + n * 0.995
    assert not list((tmp_path / f"run-{n}").glob("*.tmp"))
