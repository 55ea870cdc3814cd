"""Runs a study: tunes, trains every variant with every seed on every subset, collects."""

from pathlib import Path

from deepstdp.comparison.pool import Execution, Failure
from deepstdp.comparison.sweep import run_trials
from deepstdp.errors import UserError
from deepstdp.files import Record
from deepstdp.progress import Progress
from deepstdp.study.results import collect
from deepstdp.study.spec import Study
from deepstdp.study.tuning import tune


def run_study(
    study: Study, out: Path, execution: Execution, progress: Progress, command: str
) -> tuple[Record, list[Failure]]:
    """Do what is not done yet of a study, into ``out``.

    ``out/tuning`` has the trials of the search for settings, ``out/<subset>/<variant>/seed-<seed>``
    the runs, and ``out/<study>.json`` what they show. The same call goes on after an interruption.
    Studies may share ``out``, and with it the runs of variants that they have in common.

    Args:
        study: what to do.
        out: folder for everything.
        execution: where trials run, how many at once, how often again.
        progress: follows the work.
        command: to be written down with the results.

    Returns:
        What ``<study>.json`` holds, and the trials that failed, whose seeds are left out.

    Raises:
        UserError: something that concerns all trials; or every seed of a subset lacks a trial.
    """
    tuning = None
    if study.tuning is not None:
        tuning = tune(study, out / "tuning", execution, progress)
        study = study.with_tuned({name: found["settings"] for name, found in tuning.items()})
    sweeps = {}
    for subset in study.subsets:
        if len(study.subsets) > 1:
            progress.line(f"---- {subset}")
        sweep = run_trials(study.configs(subset), study.seeds, out / subset, execution, progress)
        sweeps[subset] = sweep
    whole = {name: sweep for name, sweep in sweeps.items() if sweep.seeds}
    if not whole:
        raise UserError(
            f"every seed lacks a trial: nothing to compare; the same command runs again what "
            f"failed, the failures.json below {out} say why"
        )
    failures = [failure for sweep in sweeps.values() for failure in sweep.failures]
    return collect(study, whole, tuning, command, out), failures
