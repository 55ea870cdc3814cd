"""Checkpoints that are damaged, of another run, or of a stranger."""

from dataclasses import replace

import numpy as np
import pytest

from deepstdp.data import InMemory
from deepstdp.errors import UserError
from deepstdp.files import load_tensors, save_tensors
from deepstdp.progress import ConsoleProgress
from deepstdp.runner import run_experiment
from tests.broken_runs import Killed, broken_off, equal, kill
from tests.small_runs import SWAPPED

pytestmark = pytest.mark.usefixtures("three_blocks")


@pytest.mark.parametrize("damage", ["truncated", "flipped", "empty"])
def test_a_damaged_checkpoint_is_said_and_the_one_before_it_used(
    tmp_path, few_digits, before_step, capsys, damage
):
    path = tmp_path / "broken"
    config = broken_off(path, few_digits, before_step, checkpoints_kept=3)
    names = sorted(p.name for p in (path / "checkpoints").iterdir())
    assert names == [f"epoch-000002-step-0000000{n}.safetensors" for n in (1, 2, 3)]
    last = path / "checkpoints" / names[-1]
    content = bytearray(last.read_bytes())
    content[len(content) // 2] ^= 1
    last.write_bytes({"truncated": content[:-7], "flipped": content, "empty": b""}[damage])
    with ConsoleProgress() as progress:
        run = run_experiment(config, path, dataset=few_digits, resume=True, progress=progress)
    said = [line for line in capsys.readouterr().out.splitlines() if "damaged" in line]
    assert len(said) == 1
    assert said[0].startswith(f"{last} is damaged")
    assert said[0].endswith("going on from the one before it")
    equal(run, run_experiment(config, tmp_path / "whole", dataset=few_digits))


@pytest.mark.parametrize(
    "change",
    [
        {"epoch": "x"},
        {"epoch": 1.5},
        {"epoch": -3},
        {"epoch": 99},
        {"begun": {"step": "3", "loss_sums": []}},
        {"begun": {"step": 10**6, "loss_sums": []}},
        {"begun": {"step": 3, "loss_sums": 3}},
        {"begun": {"step": 3, "loss_sums": [float("nan")]}},
        {"wall_seconds": "x"},
        {"seconds": {}},
        {"lap": {"training": "x"}},
        {"untrained": {"linear_probe_accuracy": "high"}},
        {"untrained_correct": {"linear_probe": "01x"}},
        {"untrained_correct": ["01"]},
    ],
)
def test_a_record_that_is_no_place_in_the_run_is_one_line(
    tmp_path, few_digits, before_step, change
):
    path = tmp_path / "broken"
    config = broken_off(path, few_digits, before_step)
    for checkpoint in (path / "checkpoints").iterdir():
        tensors, info = load_tensors(checkpoint)
        save_tensors(checkpoint, tensors, info | change)
    with pytest.raises(UserError, match="is no checkpoint of this run"):
        run_experiment(config, path, dataset=few_digits, resume=True)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("pseudo_labels", lambda labels: labels + 1000),
        ("pseudo_labels", lambda labels: labels.float()),
        ("pseudo_labels", lambda labels: labels[:5]),
        ("reducer.last", lambda last: last[:7]),
        ("momentum.head.weight", lambda momentum: momentum[:3]),
    ],
)
def test_tensors_that_do_not_fit_the_run_are_one_line(
    tmp_path, few_digits, before_step, name, change
):
    path = tmp_path / "broken"
    config = broken_off(path, few_digits, before_step)
    for checkpoint in (path / "checkpoints").iterdir():
        tensors, info = load_tensors(checkpoint)
        save_tensors(checkpoint, tensors | {name: change(tensors[name])}, info)
    with pytest.raises(UserError, match="is no checkpoint of this run"):
        run_experiment(config, path, dataset=few_digits, resume=True)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("rows.queue", lambda queue: queue[:, :3]),
        ("rows.queue", lambda queue: queue.long()),
        ("rows.queue.counts", lambda counts: counts.sum()),
    ],
)
def test_queues_that_do_not_fit_the_run_are_one_line(
    tmp_path, few_digits, before_step, name, change
):
    path = tmp_path / "broken"
    config = broken_off(path, few_digits, before_step, method="sinkhorn", **SWAPPED)
    for checkpoint in (path / "checkpoints").iterdir():
        tensors, info = load_tensors(checkpoint)
        save_tensors(checkpoint, tensors | {name: change(tensors[name])}, info)
    with pytest.raises(UserError, match="is no checkpoint of this run"):
        run_experiment(config, path, dataset=few_digits, resume=True)


def test_what_a_killed_write_left_goes_with_the_next_one(tmp_path, few_digits, before_step):
    path = tmp_path / "broken"
    config = broken_off(path, few_digits, before_step)
    left = path / "checkpoints" / "epoch-000001-step-00000003.safetensors.tmp"
    left.write_bytes(b"half")
    before_step(2, kill)
    with pytest.raises(Killed):
        run_experiment(config, path, dataset=few_digits, resume=True)
    assert not left.exists()


def test_with_all_checkpoints_damaged_it_starts_again(tmp_path, few_digits, before_step):
    path = tmp_path / "broken"
    config = broken_off(path, few_digits, before_step)
    for checkpoint in (path / "checkpoints").iterdir():
        checkpoint.write_bytes(b"nothing")
    run = run_experiment(config, path, dataset=few_digits, resume=True)
    equal(run, run_experiment(config, tmp_path / "whole", dataset=few_digits))


def test_a_checkpoint_of_another_run_is_refused(tmp_path, few_digits, before_step):
    path, other = tmp_path / "broken", tmp_path / "other"
    broken_off(path, few_digits, before_step)
    config = broken_off(other, few_digits, before_step, method="kmeans")
    for checkpoint in (other / "checkpoints").iterdir():
        checkpoint.unlink()
    (found, _) = sorted((path / "checkpoints").iterdir(), reverse=True)
    found.rename(other / "checkpoints" / found.name)
    with pytest.raises(UserError, match="is no checkpoint of this run"):
        run_experiment(config, other, dataset=few_digits, resume=True)


def test_other_images_are_refused_in_the_middle_of_a_run(tmp_path, few_digits, before_step):
    path = tmp_path / "broken"
    config = broken_off(path, few_digits, before_step)
    inverted = InMemory(255 - few_digits.train.images.tensor)
    fewer = few_digits.train.select(np.arange(len(few_digits.train) - 1))
    for train in (replace(few_digits.train, images=inverted), fewer):
        others = replace(few_digits, train=train)
        with pytest.raises(UserError, match="was begun with other images: give the same ones"):
            run_experiment(config, path, dataset=others, resume=True)
    run = run_experiment(config, path, dataset=few_digits, resume=True)  # nothing was lost
    equal(run, run_experiment(config, tmp_path / "whole", dataset=few_digits))
