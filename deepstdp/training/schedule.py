"""The learning rate over a run, as a function of the step alone."""

import math

from deepstdp.config import TrainingConfig


def learning_rate(config: TrainingConfig, progress: float) -> float:
    """The learning rate at a point of the run.

    lr(t) = lr min(1, t / t_warm), times (1 + cos(pi (t - t_warm) / (t_end - t_warm))) / 2 after
    t_warm on the ``cosine`` schedule (Loshchilov and Hutter 2017).

    Args:
        config: the schedule.
        progress: epochs done so far, with the fraction of the current one.
    """
    warm, end = config.warmup_epochs, config.epochs
    if progress < warm:
        return config.learning_rate * progress / warm
    if config.schedule == "constant" or end <= warm:
        return config.learning_rate
    done = min(1.0, (progress - warm) / (end - warm))
    return config.learning_rate * (1 + math.cos(math.pi * done)) / 2
