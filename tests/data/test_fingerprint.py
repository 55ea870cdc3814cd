from dataclasses import replace

import torch

from deepstdp.config import DataConfig
from deepstdp.data import InMemory, load_dataset
from deepstdp.data.fingerprint import digest_of, fingerprint


def test_streamed_images_are_known_by_what_those_in_memory_are(class_folder):
    config = DataConfig(source=str(class_folder), image_size=None, workers=0)
    known = {
        fingerprint(load_dataset(replace(config, loading=loading), seed=0))
        for loading in ("memory", "stream")
    }
    assert len(known) == 1
    assert fingerprint(load_dataset(config, seed=1)) not in known  # split otherwise


def test_names_pixels_and_splits_count(few_digits):
    known = fingerprint(few_digits)
    assert fingerprint(few_digits) == known
    for split in ("train", "val"):
        part = getattr(few_digits, split)
        for changed in (
            replace(part, names=[*part.names[:-1], "another"]),
            replace(part, images=InMemory(255 - part.images.tensor)),
            part.select(torch.arange(len(part) - 1).numpy()),
        ):
            assert fingerprint(replace(few_digits, **{split: changed})) != known


def test_any_name_has_a_digest():
    assert digest_of(["a", "b\udcff"]) != digest_of(["a", "b"])
