"""``torch.compile`` that may fail: the work then goes on without, and says so."""

from collections.abc import Callable
from typing import Any

import torch
from torch._dynamo.exc import TorchDynamoException
from torch._functorch import config as functorch

from deepstdp.errors import first_line
from deepstdp.progress import Progress


def compiled(
    function: Callable[..., Any],
    what: str,
    progress: Progress,
    backend: str | Callable[..., Any] = "inductor",
) -> Callable[..., Any]:
    """The function, compiled when it is first called; as it is from the first failure on.

    Args:
        function: a module or function.
        what: its name in the line that says that it could not be compiled.
        progress: says that line.
        backend: of ``torch.compile``.
    """
    fast: Callable[..., Any] | None = torch.compile(function, dynamic=False, backend=backend)

    def call(*args: Any) -> Any:
        nonlocal fast
        if fast is not None:
            try:
                # Else backward passes are compiled when they are first needed, out of our reach.
                with functorch.patch(force_non_lazy_backward_lowering=True):
                    return fast(*args)
            except TorchDynamoException as error:
                fast = None
                reason = first_line(error)
                progress.line(f"{what} could not be compiled ({reason}): running it uncompiled")
        return function(*args)

    return call
