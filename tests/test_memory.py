"""A run on far more images than are held: memory must not grow with them."""

import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

SIDE = 32
FEATURES = 32 * 4 * 4
RUN = """
import json, resource, sys
from pathlib import Path
from deepstdp.cli import main

code = main(sys.argv[1:])
peaks = [resource.getrusage(who).ru_maxrss / 2**10
         for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
print(json.dumps({"code": code, "MiB": peaks}))
"""


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


def peak_memory(folder: Path, n: int) -> list[float]:
    """MiB of the process, and of its largest worker."""
    write_images(folder / f"{n}.zip", n)
    command = [
        *(sys.executable, "-c", RUN, "train", "--data.source", str(folder / f"{n}.zip")),
        *("--data.loading", "stream", "--data.workers", "2", "--data.image_size", str(SIDE)),
        *("--data.validation_fraction", "0.005", "--run_dir", str(folder / f"run-{n}")),
        *("--backbone.class_path", "tests.small_backbone.Patches", "--training.epochs", "1"),
        *("--training.batch_size", "1000", "--reduction.max_samples", "2000"),
        *("--reduction.n_components", "16", "--clustering.n_clusters", "20"),
    ]
    result = subprocess.run(command, capture_output=True, text=True, timeout=500, check=False)
    measured = json.loads(result.stdout.splitlines()[-1])
    assert measured["code"] == 0, result.stderr
    return measured["MiB"]


def test_a_hundred_thousand_images_take_hardly_more_memory_than_three_thousand(tmp_path):
    n = 100_000
    few, many = peak_memory(tmp_path, 3_000), peak_memory(tmp_path, n)
    decoded, features = n * 3 * SIDE**2 / 2**20, n * FEATURES * 4 / 2**20
    assert decoded + features > 480
    # Names, the zip's directory, order, labels and what is reduced remain: 1 kB an image.
    assert many[0] - few[0] < 150
    assert many[1] - few[1] < 60
    labels = (tmp_path / f"run-{n}" / "labels.csv").read_text().splitlines()
    assert len(labels) == 1 + 99_500
    assert not list((tmp_path / f"run-{n}").glob("*.tmp"))
