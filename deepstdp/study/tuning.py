"""The search for settings: as many trials for each variant, on a split of the training images."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from deepstdp.comparison.executors import DatasetOfSeed
from deepstdp.comparison.pool import Execution, TrialPool
from deepstdp.comparison.trials import Trial, check_unchanged
from deepstdp.errors import UserError
from deepstdp.files import Record, write_json
from deepstdp.progress import Progress
from deepstdp.study.spec import Range, Settings, Study, Tuning


def tune(study: Study, out: Path, execution: Execution, progress: Progress) -> Record:
    """Search for each variant's settings by optuna's tree-structured Parzen estimator.

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
        UserError: optuna is not installed, or a trial fails.
    """
    tuning = study.tuning
    assert tuning is not None
    datasets = DatasetOfSeed(study.config(study.baseline, _split(tuning)).data, progress)
    with TrialPool(execution, study.config(study.baseline), datasets, progress) as pool:

        def search(variant: str) -> Record:
            return _search(study, variant, out / variant, pool)

        if execution.workers == 1:
            found = [search(variant) for variant in tuning.space]
        else:
            with ThreadPoolExecutor(len(tuning.space)) as threads:
                found = list(threads.map(search, tuning.space))
    result = dict(zip(tuning.space, found, strict=True))
    write_json(out / "tuned.json", result)
    return result


def _split(tuning: Tuning) -> Settings:
    return {"data.split": "tuning", "seed": tuning.seed, "evaluation.every": 0}


def _search(study: Study, variant: str, out: Path, pool: TrialPool) -> Record:
    tuning, optuna = study.tuning, _optuna()
    assert tuning is not None
    out.mkdir(parents=True, exist_ok=True)
    space = {name: _distribution(r) for name, r in tuning.space[variant].items()}
    searcher = _open_search(out / "journal.log")
    if not searcher.trials:
        searcher.enqueue_trial(_recipes_own(study, variant))
    while len(done := searcher.get_trials(states=[optuna.trial.TrialState.COMPLETE])) < (
        tuning.n_trials
    ):
        started = searcher.get_trials(states=[optuna.trial.TrialState.RUNNING])
        cut_short = [trial for trial in started if set(trial.params) == set(space)]
        if cut_short:
            trial = cut_short[0]
        else:  # a sampler a trial: a search that was cut short goes on as if it had not been
            searcher.sampler = optuna.samplers.TPESampler(seed=tuning.seed + len(done))
            trial = searcher.ask(space)
        more = _split(tuning) | trial.params
        run = Trial(
            f"{variant} {trial.number}", study.config(variant, more), out / f"trial-{trial.number}"
        )
        check_unchanged([run])
        if (failure := pool.submit(run).result()) is not None:
            raise UserError(f"tuning: {failure}")
        summary = run.summary()
        assert summary is not None
        searcher.tell(trial.number, summary["final"][tuning.metric])
    best = searcher.best_trial
    trials = [{"settings": trial.params, "value": trial.value} for trial in done]
    return {"settings": best.params, "value": best.value, "trials": trials}


def _open_search(journal: Path) -> Any:
    optuna = _optuna()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
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
    try:
        import optuna
    except ImportError:
        raise UserError('tuning needs optuna: pip install "deepstdp[study]"') from None
    return optuna
