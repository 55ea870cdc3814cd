"""What torchrun and SLURM say of this process, in its environment, before anything is launched."""

import os

_RANKS = ("RANK", "SLURM_PROCID", "LOCAL_RANK")

_RESTARTS = ("TORCHELASTIC_RESTART_COUNT", "SLURM_RESTART_COUNT")
"""How often torchrun, or SLURM after a requeue, has started this command before."""


def is_first_process() -> bool:
    """Whether this process speaks for its run."""
    ranks = (os.environ.get(name) for name in _RANKS)
    return int(next((rank for rank in ranks if rank is not None), 0)) == 0


def is_restarted() -> bool:
    """Whether this command has been started before, so that it is to go on."""
    return any(os.environ.get(name, "0") not in ("", "0") for name in _RESTARTS)
