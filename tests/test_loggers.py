import sys
import time
from pathlib import Path

import pytest
from lightning_fabric.loggers.logger import Logger

from deepstdp import UserError, run_experiment
from deepstdp.loggers import PROJECT, make_logger
from tests.small_runs import small

pytestmark = pytest.mark.usefixtures("three_blocks")


class Remembering(Logger):
    """A logger of the user's own."""

    def __init__(self):
        self.settings, self.logged, self.status = {}, [], None

    name = version = "remembering"

    def log_hyperparams(self, params):
        self.settings = params

    def log_metrics(self, metrics, step=None):
        self.logged.append((step, metrics))

    def finalize(self, status):
        self.status = status


def test_a_logger_gets_settings_and_every_epoch(tmp_path, few_digits):
    logger = Remembering()
    run = run_experiment(small(), tmp_path / "run", dataset=few_digits, logger=logger)
    assert logger.settings["clustering"]["method"] == "stdp"
    assert [step for step, _ in logger.logged] == [0, *(r["epoch"] for r in run.metrics())]
    assert logger.status == "success"
    for (_, logged), record in zip(logger.logged[1:], run.metrics(), strict=True):
        assert all(logged[key] == record[key] for key in ("loss", "linear_probe_accuracy"))
    assert all(type(v) is float for _, logged in logger.logged for v in logged.values())


def test_a_logger_is_told_that_a_run_was_stopped(tmp_path, few_digits, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    logger = Remembering()
    monkeypatch.setattr("deepstdp.pipeline.Loop.learn", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_experiment(small(), tmp_path / "run", dataset=few_digits, logger=logger)
    assert logger.status == "failed"


def test_tensorboard_reads_what_was_logged(tmp_path, few_digits):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    path = tmp_path / "run"
    logger = make_logger("tensorboard", path)
    run = run_experiment(small(), path, dataset=few_digits, logger=logger)
    events = EventAccumulator(str(path / "tensorboard"))
    events.Reload()
    found = [(event.step, event.value) for event in events.Scalars("loss")]
    assert found == [(r["epoch"], pytest.approx(r["loss"])) for r in run.metrics()]
    run_experiment(small(seed=1), path, dataset=few_digits, overwrite=True)
    assert not (path / "tensorboard").exists(), "it belongs to the run"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of SQLAlchemy
def test_mlflow_has_every_epoch(tmp_path, few_digits, monkeypatch):
    mlflow = pytest.importorskip("mlflow", reason="make test-loggers installs it")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    logger = make_logger("mlflow", tmp_path / "run")
    run = run_experiment(small(), tmp_path / "run", dataset=few_digits, logger=logger)
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    (found,) = client.search_runs([client.get_experiment_by_name(PROJECT).experiment_id])
    assert (found.info.run_name, found.info.status) == ("run", "FINISHED")
    assert found.data.params["clustering/method"] == "stdp"
    losses = [(m.step, m.value) for m in client.get_metric_history(found.info.run_id, "loss")]
    assert losses == [(r["epoch"], r["loss"]) for r in run.metrics()]


def test_weights_and_biases_have_every_epoch(tmp_path, few_digits, monkeypatch):
    pytest.importorskip("wandb", reason="make test-loggers installs it")
    monkeypatch.setenv("WANDB_MODE", "offline")
    path = tmp_path / "run"
    logger = make_logger("wandb", path)
    run = run_experiment(small(), path, dataset=few_digits, logger=logger)
    logger.experiment.finish()
    (file,) = path.glob("wandb/offline-run-*/run-*.wandb")
    missing = {str(record["loss"]).encode() for record in run.metrics()}
    deadline = time.monotonic() + 20  # a process of its own writes it
    while missing and time.monotonic() < deadline:
        content = file.read_bytes()
        missing = {loss for loss in missing if loss not in content}
        time.sleep(0.1)
    assert not missing


@pytest.mark.parametrize("name", ["tensorboard", "mlflow", "wandb"])
def test_what_is_not_installed_is_said(name, monkeypatch):
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UserError, match=rf'needs {name}: pip install "deepstdp\[{name}\]"'):
        make_logger(name, Path("run"))
