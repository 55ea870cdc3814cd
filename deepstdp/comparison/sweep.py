"""Runs all trials of a comparison."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from deepstdp.comparison.executors import DatasetOfSeed
from deepstdp.comparison.pool import Execution, Failure, TrialPool
from deepstdp.comparison.raw_pixels import measure_raw_pixels, raw_pixels_path
from deepstdp.comparison.trials import Trial, check_trials, plan_trials
from deepstdp.config import Config
from deepstdp.files import write_json
from deepstdp.progress import Progress
from deepstdp.run_dir import RunDir
from deepstdp.run_lock import alone_in

FAILURES = "failures.json"


@dataclass(frozen=True)
class Sweep:
    """What came of the trials.

    Attributes:
        runs: by variant, the runs of ``seeds`` in their order.
        seeds: those that every variant finished that finished any.
        failures: the trials that did not finish.
    """

    runs: dict[str, list[RunDir]]
    seeds: list[int]
    failures: list[Failure]


def run_trials(
    variants: Mapping[str, Config],
    seeds: Sequence[int],
    out: Path,
    execution: Execution,
    progress: Progress,
) -> Sweep:
    """Train what is not done yet of every variant and seed, into ``out/<variant>/seed-<seed>``.

    Rows for the untrained network and for raw pixels are always made. ``out/failures.json``
    names the trials that failed, if there are any; the next call runs them again.

    Args:
        variants: configs of the same images, by name.
        seeds: the same for all variants, so that they can be compared in pairs.
        out: folder for everything.
        execution: where, how many at once, how often again.
        progress: follows the work; of trials in other processes it says how they start and end.

    Raises:
        UserError: something that concerns all trials: ``out`` holds trials of another config,
            another process is writing it, the images cannot be read or do not suit the config,
            there is no Ray.
    """
    trials = plan_trials(variants, seeds, out)
    config = trials[0].config
    datasets = DatasetOfSeed(config.data, progress)
    pending = [trial for trial in trials if trial.summary() is None]
    if pending:
        first = datasets(pending[0].config.seed)
        check_trials(pending, first, here=execution.executor == "local")
    else:  # no cluster for nothing
        execution = Execution()
    out.mkdir(parents=True, exist_ok=True)
    with alone_in(out), TrialPool(execution, config, datasets, progress) as pool:
        futures = []
        for seed in seeds:
            futures += [pool.submit(trial) for trial in trials if trial.config.seed == seed]
            # Here, while workers are busy; after the trials if they ran here.
            raw = raw_pixels_path(out, seed)
            if not raw.exists():
                raw.parent.mkdir(parents=True, exist_ok=True)
                write_json(raw, measure_raw_pixels(config, datasets(seed)))
        failures = [failure for future in futures if (failure := future.result()) is not None]
        _write_failures(out, failures)
    return _paired(trials, failures)


def _write_failures(out: Path, failures: Sequence[Failure]) -> None:
    path = out / FAILURES
    if failures:
        record = {f.trial.key: {"reason": f.reason, "attempts": f.n_attempts} for f in failures}
        write_json(path, record)
    else:
        path.unlink(missing_ok=True)


def _paired(trials: Sequence[Trial], failures: list[Failure]) -> Sweep:
    """Leave out the variants that finished no seed, then the seeds that another did not finish."""
    failed = {failure.trial.key for failure in failures}
    finished = [trial for trial in trials if trial.key not in failed]
    alive = {trial.variant for trial in finished}
    if failures and all(trial.config.clustering.method == "none" for trial in finished):
        return Sweep({}, [], failures)
    incomplete = {f.trial.config.seed for f in failures if f.trial.variant in alive}
    runs: dict[str, list[RunDir]] = {}
    for trial in finished:
        if trial.config.seed not in incomplete:
            runs.setdefault(trial.variant, []).append(RunDir.open(trial.path))
    seeds = dict.fromkeys(trial.config.seed for trial in trials if trial.variant in alive)
    return Sweep(runs, [seed for seed in seeds if seed not in incomplete], failures)
