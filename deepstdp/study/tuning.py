"""The search for settings: as many trials for each variant, on a split of the training images."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from deepstdp.comparison.executors import DatasetOfSeed
from deepstdp.comparison.pool import Execution, TrialPool
from deepstdp.comparison.trials import Trial, check_unchanged
from deepstdp.data import load_dataset
from deepstdp.errors import UserError
from deepstdp.files import Record, write_json
from deepstdp.imports import require_extra
from deepstdp.progress import Progress
from deepstdp.run_lock import alone_in
from deepstdp.study.spec import Range, Settings, Study, Tuning


def tune(study: Study, out: Path, execution: Execution, progress: Progress) -> Record:
    """Search for each variant's settings by optuna's sampler.

    That is the tree-structured Parzen estimator, which draws its first ten trials at random; with
    equal ranges all variants try the same values.

    A search that was cut short goes on; one that is done is read again. Every trial leaves its
    run directory in ``out/<variant>/trial-<number>``.

    Args:
        study: with a ``tuning``.
        out: folder for the trials, optuna's journals and ``tuned.json``.
        execution: where trials run, and how many at once; those of one variant follow each other.
        progress: says how trials start and end.

    Returns:
        For each variant the best ``settings``, their ``value``, and all ``trials``.

    Raises:
        UserError: optuna is not installed, another process tunes in ``out``, the images cannot be
            tuned on, or all trials of a variant fail.
    """
    tuning = study.tuning
    assert tuning is not None
    _check_images(study, tuning, progress)
    datasets = DatasetOfSeed(study.config(study.baseline, _split(tuning)).data, progress)
    out.mkdir(parents=True, exist_ok=True)
    # The trials are stopped before the threads that wait for them are joined.
    with (
        alone_in(out),
        ThreadPoolExecutor(len(tuning.space)) as threads,
        TrialPool(execution, study.config(study.baseline), datasets, progress) as pool,
    ):

        def search(variant: str) -> Record:
            return _search(study, variant, out / variant, pool)

        searches = map if execution.workers == 1 else threads.map
        found = list(searches(search, tuning.space))
    result = dict(zip(tuning.space, found, strict=True))
    write_json(out / "tuned.json", result)
    return result


def _split(tuning: Tuning) -> Settings:
    return {"data.split": "tuning", "seed": tuning.seed, "evaluation.every": 0}


def _check_images(study: Study, tuning: Tuning, progress: Progress) -> None:
    """Check that the tuning split can be told apart from what is validated on.

    Raises:
        UserError: images without labels, or whose validation split is drawn anew with each seed.
    """
    data = study.config(study.baseline).data
    seeds = (tuning.seed, study.seeds[0])
    first, other = (load_dataset(data, seed, progress).val for seed in seeds)
    if first.labels is None:
        raise UserError("tuning needs labelled images")
    if first.names != other.names:
        raise UserError(
            f"{data.source} has no validation split of its own, but one a seed: tuning would look "
            "at images that other seeds validate on; leave the tuning out"
        )


def _search(study: Study, variant: str, out: Path, pool: TrialPool) -> Record:
    tuning, optuna = study.tuning, _optuna()
    assert tuning is not None
    states = optuna.trial.TrialState
    out.mkdir(exist_ok=True)
    space = {name: _distribution(r) for name, r in tuning.space[variant].items()}
    searcher = _open_search(out / "journal.log")
    if not searcher.trials:
        searcher.enqueue_trial(_recipes_own(study, variant))

    def run_of(trial: Any) -> Trial:
        config = study.config(variant, _split(tuning) | trial.params)
        return Trial(f"{variant} {trial.number}", config, out / f"trial-{trial.number}")

    check_unchanged([run_of(trial) for trial in searcher.get_trials(states=[states.COMPLETE])])
    while len(done := searcher.get_trials(states=[states.COMPLETE, states.FAIL])) < tuning.n_trials:
        started = searcher.get_trials(states=[states.RUNNING])
        cut_short = [trial for trial in started if set(trial.params) == set(space)]
        if cut_short:
            trial = cut_short[0]
        else:  # a sampler a trial: a search that was cut short goes on as if it had not been
            searcher.sampler = optuna.samplers.TPESampler(seed=tuning.seed + len(done))
            trial = searcher.ask(space)
        run = run_of(trial)
        check_unchanged([run])
        if pool.submit(run).result() is None:
            summary = run.summary()
            assert summary is not None
            searcher.tell(trial.number, summary["final"][tuning.metric])
        else:  # settings that diverge are a result too
            searcher.tell(trial.number, state=states.FAIL)
    if not searcher.get_trials(states=[states.COMPLETE]):
        raise UserError(f"tuning of {variant}: every trial failed")
    best = searcher.best_trial
    trials = [{"settings": trial.params, "value": trial.value} for trial in done]
    return {"settings": best.params, "value": best.value, "trials": trials}


def _open_search(journal: Path) -> Any:
    optuna = _optuna()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    # A search that was killed leaves its lock behind, and no two may share a folder anyway.
    journal.with_name(journal.name + ".lock").unlink(missing_ok=True)
    backend = optuna.storages.journal.JournalFileBackend(str(journal))
    return optuna.create_study(
        study_name="tuning",
        storage=optuna.storages.JournalStorage(backend),
        direction="maximize",
        load_if_exists=True,
    )


def _recipes_own(study: Study, variant: str) -> Settings:
    """What the recipe says of the settings that are searched."""
    assert study.tuning is not None
    settings = {}
    for name, allowed in study.tuning.space[variant].items():
        value: Any = study.config(variant)
        for part in name.split("."):
            value = getattr(value, part)
        if not allowed.holds(value):
            raise UserError(f"tuning of {variant}: the recipe's {name} {value} is not in its range")
        settings[name] = value
    return settings


def _distribution(allowed: Range) -> Any:
    distributions = _optuna().distributions
    if allowed.choices is not None:
        return distributions.CategoricalDistribution(allowed.choices)
    return distributions.FloatDistribution(allowed.low, allowed.high, log=allowed.log)


def _optuna() -> Any:
    return require_extra("optuna", "tuning", "study")
