"""The short form of ``benchmarks/fuzz``, and configs that hypothesis thinks up."""

from contextlib import suppress
from dataclasses import fields, is_dataclass

import numpy as np
import pytest
import torch
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.fuzz.campaign import Loader, fuzz
from benchmarks.fuzz.loaders import LOADERS
from benchmarks.fuzz.mutate import CHANGES, mutated
from benchmarks.fuzz.reseal import resealed
from deepstdp import STDPClustering
from deepstdp.config import Config
from deepstdp.config_files import load_config
from deepstdp.errors import UserError
from deepstdp.files import load_tensors, save_tensors

_SLOW = tuple(name for name in LOADERS if name.startswith(("run", "checkpoint", "spiking", "nir")))
"""A network is trained first."""


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.slow) if n in _SLOW else n for n in LOADERS]
)
def test_damaged_files_are_read_or_refused_in_one_line(name, tmp_path):
    files, kept = tmp_path / "files", tmp_path / "kept"
    files.mkdir()
    kept.mkdir()
    count = fuzz(LOADERS[name], 40, np.random.default_rng(), files, kept)
    assert count.given == count.read + count.refused == 40
    assert count.failures == []


def test_what_a_loader_does_wrong_is_found(tmp_path, monkeypatch):
    monkeypatch.setattr("benchmarks.fuzz.campaign.SECONDS", 0.05)
    kept = tmp_path / "kept"
    kept.mkdir()

    def whole(folder):
        (folder / "a").write_bytes(b"a" * 50)
        return [folder / "a"]

    def load(path):
        content = path.read_bytes()
        if content == b"a" * 50:
            return
        if len(content) > 50:
            raise KeyError(content)
        if len(content) < 50:
            while True:
                pass
        raise UserError("one\nline")

    count = fuzz(Loader(whole, load), 60, np.random.default_rng(0), tmp_path, kept)
    assert any("KeyError" in failure for failure in count.failures)
    assert any("hangs" in failure for failure in count.failures)
    assert count.refused > 0  # UserError has made one line of the two
    assert len(list(kept.iterdir())) == len(count.failures)
    assert (tmp_path / "a").read_bytes() == b"a" * 50


@given(content=st.binary(max_size=300), seed=st.integers(0, 2**32))
def test_damage_can_be_repeated(content, seed):
    first, again = (mutated(content, np.random.default_rng(seed)) for _ in range(2))
    assert first == again
    for change in CHANGES:  # also of nothing
        change(bytearray(content), np.random.default_rng(seed))


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.dates(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)


def _section(schema: type) -> st.SearchStrategy:
    """Settings of which most have values of the wrong kind."""
    kinds = {field.name: field.type for field in fields(schema)}
    inner = {name: _section(kind) for name, kind in kinds.items() if is_dataclass(kind)}
    return st.fixed_dictionaries({}, optional={n: _VALUES | inner.get(n, _VALUES) for n in kinds})


@settings(max_examples=40)
@given(content=_section(Config) | _VALUES)
def test_any_yaml_is_a_config_or_refused_in_one_line(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_text(yaml.safe_dump(content))
    with suppress(UserError):  # which is one line by itself
        assert isinstance(load_config(path), Config)


def test_a_resealed_file_is_whole_and_another_one(tmp_path):
    """What a checksum cannot see."""
    path, rng = tmp_path / "a.safetensors", np.random.default_rng(0)
    tensors, info = {"a": torch.arange(6.0).reshape(2, 3), "b": torch.tensor(3)}, {"c": [1, 2]}
    save_tensors(path, tensors, info)
    content, others = path.read_bytes(), 0
    for _ in range(40):
        path.write_bytes(resealed(content, rng))
        found, read = load_tensors(path)
        others += read != info or found.keys() != tensors.keys()
    assert others > 10


_HALF = torch.float16


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("neurons.theta", lambda x: x.to(_HALF)),
        ("neurons.synapses", lambda x: x.to(_HALF)),
        ("neurons.n_active", lambda x: x.repeat(3)),
        ("neurons.v_threshold", lambda x: x.repeat(2)),
        ("receptors.gain", lambda x: x.repeat(2)),
    ],
)
def test_what_the_long_run_found(tmp_path, name, change):
    """Neurons that say other things than they should; the rest of it stands with its loaders."""
    path = tmp_path / "neurons.safetensors"
    features = np.random.default_rng(0).normal(size=(60, 2))
    STDPClustering(n_clusters=4, encoding="population", random_state=0).fit(features).save(path)
    tensors, info = load_tensors(path)
    save_tensors(path, tensors | {name: change(tensors[name])}, info)
    with pytest.raises(UserError, match="holds no STDPClustering"):
        STDPClustering.load(path)
