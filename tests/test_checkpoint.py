"""A run that is broken off goes on as if it had not been, wherever it was and whatever broke it."""

import json
import os
import signal
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from deepstdp.config import BackboneConfig, ClusteringConfig, ReductionConfig, STDPConfig
from deepstdp.data import InMemory
from deepstdp.errors import UserError
from deepstdp.files import load_tensors, save_tensors
from deepstdp.interruption import Interrupted
from deepstdp.pipeline import Loop
from deepstdp.progress import ConsoleProgress
from deepstdp.runner import run_experiment
from deepstdp.training.epoch import Trainer
from tests.small_runs import SWAPPED, learnt, small, weights

pytestmark = pytest.mark.usefixtures("three_blocks")

STEPS = 5  # of an epoch: 300 images in batches of 64


class Killed(Exception):
    """Stands for a kill."""


class BeforeStep:
    """Makes something happen before the n-th step of a run, until ``clear``."""

    def __init__(self) -> None:
        self._patch = pytest.MonkeyPatch()

    def __call__(self, n: int, action: Callable[[], None]) -> None:
        step, count = Trainer._step, iter(range(1, 10_000))

        def watched(trainer, *args):
            if next(count) == n:
                action()
            return step(trainer, *args)

        self._patch.setattr(Trainer, "_step", watched)

    def clear(self) -> None:
        self._patch.undo()


@pytest.fixture
def before_step():
    watch = BeforeStep()
    yield watch
    watch.clear()


def kill() -> None:
    raise Killed


def equal(run, other) -> None:
    assert weights(run) == weights(other)
    assert learnt(run) == learnt(other)
    for name in ("labels.csv", "clustering.safetensors"):
        assert (run.path / name).read_bytes() == (other.path / name).read_bytes()
    assert run.summary()["final"] == other.summary()["final"]
    assert run.summary()["untrained"] == other.summary()["untrained"]


AMID_AN_EPOCH, BETWEEN_EPOCHS = 2 * STEPS + 4, 2 * STEPS + 1


@pytest.mark.parametrize(
    ("method", "recipe", "n"),
    [
        ("stdp", {}, BETWEEN_EPOCHS),
        ("stdp", {"reassign_every": 3}, AMID_AN_EPOCH),
        *((method, {}, AMID_AN_EPOCH) for method in ("stdp", "kmeans", "kmeans-warm", "sinkhorn")),
        *((method, SWAPPED, AMID_AN_EPOCH) for method in ("stdp", "kmeans-warm", "sinkhorn")),
        ("random", {}, AMID_AN_EPOCH),
    ],
)
def test_a_killed_run_goes_on_to_the_same_bytes(
    tmp_path, few_digits, before_step, monkeypatch, method, recipe, n
):
    config = small(method, epochs=4, checkpoint_minutes=0.0, **recipe)
    monkeypatch.setattr(Loop, "measure", once(Loop.measure))
    goes_on_to_the_same_bytes(config, tmp_path, few_digits, before_step, n)


@pytest.mark.parametrize(
    "part",
    [
        {"reduction": ReductionConfig(n_components=32, max_samples=200)},
        {"reduction": ReductionConfig(n_components=32, align=False)},
        {"clustering": ClusteringConfig(n_clusters=20, stdp=STDPConfig(persistent=False))},
        {"clustering": ClusteringConfig(method="supervised", n_clusters=10)},
        {"backbone": BackboneConfig(levels=4, head_hidden=16)},
    ],
    ids=["max_samples", "no alignment", "not persistent", "supervised", "levels and hidden head"],
)
def test_so_does_one_with_other_parts(tmp_path, few_digits, before_step, part):
    config = replace(small(epochs=4, checkpoint_minutes=0.0), **part)
    goes_on_to_the_same_bytes(config, tmp_path, few_digits, before_step, AMID_AN_EPOCH)


def goes_on_to_the_same_bytes(config, folder, dataset, before_step, n) -> None:
    """Kill a run before its n-th step and resume it."""
    whole = run_experiment(config, folder / "whole", dataset=dataset)
    before_step(n, kill)
    with pytest.raises(Killed):
        run_experiment(config, folder / "broken", dataset=dataset)
    before_step.clear()
    broken = run_experiment(config, folder / "broken", dataset=dataset, resume=True)
    equal(broken, whole)
    assert not (broken.path / "checkpoints").exists()


def once(measure):
    """What was measured before the first epoch of a run must come from the checkpoint."""
    seen = []

    def checked(self, epoch):
        if epoch == 0:
            seen.append(epoch)
            assert len(seen) <= 2, "a run that is resumed measures the untrained network again"
        return measure(self, epoch)

    return checked


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_step_and_keeps_it(tmp_path, few_digits, before_step, number, capfd):
    whole = run_experiment(small(), tmp_path / "whole", dataset=few_digits)
    before_step(STEPS + 3, lambda: os.kill(os.getpid(), number))
    handlers = [signal.getsignal(s) for s in (signal.SIGTERM, signal.SIGINT)]
    with pytest.raises(Interrupted, match="--resume goes on from"):
        run_experiment(small(), tmp_path / "run", dataset=few_digits)
    assert [signal.getsignal(s) for s in (signal.SIGTERM, signal.SIGINT)] == handlers
    assert "stopping after this step" in capfd.readouterr().err
    (checkpoint,) = (tmp_path / "run" / "checkpoints").iterdir()
    assert checkpoint.name == "epoch-000001-step-00000003.safetensors"
    before_step.clear()
    equal(run_experiment(small(), tmp_path / "run", dataset=few_digits, resume=True), whole)


def test_a_second_interrupt_is_not_waited_with(tmp_path, few_digits, before_step):
    def twice() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    before_step(STEPS + 3, twice)
    with pytest.raises(KeyboardInterrupt) as met:
        run_experiment(small(), tmp_path / "run", dataset=few_digits)
    assert not isinstance(met.value, Interrupted)
    assert not (tmp_path / "run" / "checkpoints").exists()


def broken_off(path, few_digits, before_step, **recipe):
    """A run that was killed in its last epoch."""
    config = small(checkpoint_minutes=0.0, **recipe)
    before_step(2 * STEPS + 4, kill)
    with pytest.raises(Killed):
        run_experiment(config, path, dataset=few_digits)
    before_step.clear()
    return config


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


class WithDropout(nn.Sequential):
    """A backbone of the user's own that draws from PyTorch's generator."""

    def __init__(self) -> None:
        super().__init__(nn.Flatten(), nn.Dropout(0.5), nn.Linear(64, 48), nn.ReLU())


class Fitted:
    """A clusterer of the user's own that can predict and cannot be saved."""

    def fit_predict(self, features):
        self.axes = features[:20]
        return self.predict(features)

    def predict(self, features):
        return (features @ self.axes.T).argmax(axis=1)


@pytest.mark.parametrize("part", [{"backbone": WithDropout}, {"clusterer": Fitted}])
def test_parts_of_the_user_s_own_go_on_too(tmp_path, few_digits, before_step, part):
    def run_it(name, **options):
        given = {key: kind() for key, kind in part.items()}
        path = tmp_path / name
        return run_experiment(config, path, dataset=few_digits, **given, **options)

    config = small(checkpoint_minutes=0.0)
    torch.manual_seed(1)  # of the first weights, which are the user's
    whole = run_it("whole")
    torch.manual_seed(1)
    before_step(AMID_AN_EPOCH, kill)
    with pytest.raises(Killed):
        run_it("broken")
    before_step.clear()
    equal(run_it("broken", resume=True), whole)


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


def test_training_that_diverges_names_the_last_good_checkpoint(
    tmp_path, few_digits, before_step, monkeypatch
):
    path = tmp_path / "run"
    config = small(checkpoint_minutes=0.0)
    trainers = []
    init = Trainer.__init__

    def seen(self, *args):
        init(self, *args)
        trainers.append(self)

    def spoil() -> None:
        with torch.no_grad():
            next(trainers[0].student.parameters()).fill_(np.nan)

    monkeypatch.setattr(Trainer, "__init__", seen)  # harmless to leave in place
    before_step(STEPS + 3, spoil)
    with pytest.raises(
        UserError, match="weights or losses are not finite.*last good checkpoint is"
    ) as met:
        run_experiment(config, path, dataset=few_digits)
    before_step.clear()
    # None of what is kept has the damage: the run goes on from there.
    assert "epoch-000001-step-00000002.safetensors" in str(met.value)
    run = run_experiment(config, path, dataset=few_digits, resume=True)
    equal(run, run_experiment(config, tmp_path / "whole", dataset=few_digits))


def test_seconds_of_a_broken_epoch_are_counted_whole(tmp_path, few_digits, before_step):
    path = tmp_path / "broken"
    config = broken_off(path, few_digits, before_step)
    run = run_experiment(config, path, dataset=few_digits, resume=True)
    last = run.metrics()[-1]
    # It was clustered before the kill, and not again.
    assert last["seconds_clustering"] > 0
    assert run.summary()["seconds"]["seconds_clustering"] >= sum(
        m["seconds_clustering"] for m in run.metrics()
    )


def test_how_often_and_how_many_may_change_on_the_way(tmp_path, few_digits, before_step):
    path = tmp_path / "broken"
    config = broken_off(path, few_digits, before_step)
    training = replace(config.training, checkpoint_minutes=9.0, checkpoints_kept=1)
    changed = replace(config, training=training)
    run = run_experiment(changed, path, dataset=few_digits, resume=True)
    assert json.loads((run.path / "summary.json").read_text())["epochs"] == 3
