"""A run that is broken off goes on as if it had not been, wherever it was and whatever broke it."""

import json
import os
import signal
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from deepstdp.checkpoint import _own_rows, _rows_of_all
from deepstdp.clustering import build_clusterer
from deepstdp.config import (
    BackboneConfig,
    ClusteringConfig,
    ReductionConfig,
    SinkhornConfig,
    STDPConfig,
)
from deepstdp.errors import UserError
from deepstdp.interruption import Interrupted
from deepstdp.pipeline import Loop
from deepstdp.processes import ALONE
from deepstdp.runner import run_experiment
from deepstdp.training.epoch import Trainer
from tests.broken_runs import STEPS, Killed, broken_off, equal, kill
from tests.clustering.samples import blobs, parts
from tests.helpers import in_processes
from tests.small_runs import SWAPPED, small

pytestmark = pytest.mark.usefixtures("three_blocks")

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


def test_processes_that_go_on_have_their_own_queues_again():
    x = blobs(301)[0]
    config = ClusteringConfig(method="sinkhorn", n_clusters=5, sinkhorn=SinkhornConfig(queue=300))

    def work(group):
        first, second = (build_clusterer(config, 0, group=group) for _ in range(2))
        own = parts(x, group)
        first.fit_predict(own)
        # The processes' shares of a batch differ in size.
        for batch in own[: 3 * (20 + group.rank)].split(20 + group.rank):
            first.targets(batch)
        saved = _rows_of_all(first, group)
        second.load_state(first.state())
        second.load_own_rows(_own_rows(saved, group))
        queues = len(first.own_rows()["queue"]), len(saved["queue"])
        return queues, first.targets(own[90:110]), second.targets(own[90:110])

    (alone,) = in_processes(1, work)
    assert alone[0] == (60, 60)
    found = in_processes(2, work)
    assert [queues for queues, _, _ in found] == [(60, 123), (63, 123)]
    for _, unbroken, resumed in [alone, *found]:
        assert torch.equal(unbroken, resumed)
    rows = {"queue": torch.arange(7.0)[:, None], "queue.counts": torch.tensor([4, 3])}
    assert len(_own_rows(rows, ALONE)["queue"]) == 7, "one process goes on with all of it"
