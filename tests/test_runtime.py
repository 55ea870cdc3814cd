import os
import signal
import subprocess
import sys

import pytest
import torch

from deepstdp.config import Config
from deepstdp.errors import UserError
from deepstdp.runtime import _PARENT, launch, one_process


def test_one_process_on_the_cpu():
    runtime = one_process("cpu")
    assert runtime.device == torch.device("cpu")
    assert runtime.group.size == 1
    assert runtime.group.is_first


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_device_that_is_not_there_is_one_line():
    with pytest.raises(UserError, match="accelerator cuda.*try --accelerator auto") as error:
        launch(Config(accelerator="cuda"))
    assert "\n" not in str(error.value)
    assert error.value.is_shared, "under torchrun one process speaks for all"


def test_a_precision_that_the_cpu_does_not_have():
    with pytest.raises(UserError, match="16-mixed"):
        launch(Config(accelerator="cpu", precision="16-mixed"))


def test_a_process_whose_first_one_is_gone_already_ends():
    """It began to look for it too late, and would wait for it until a timeout of torch's."""
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    code = (
        "from deepstdp.config import Config\nfrom deepstdp.runtime import launch\n"
        "launch(Config(accelerator='cpu', devices=2))"
    )
    variables = {"LOCAL_RANK": "1", "NODE_RANK": "0", "MASTER_ADDR": "127.0.0.1"}
    variables |= {"MASTER_PORT": "1", "WORLD_SIZE": "2", _PARENT: str(gone.pid)}
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **variables}, timeout=60, check=False
    )
    assert done.returncode == -signal.SIGKILL


COLLECTIVES = """
import torch
from deepstdp.config import Config
from deepstdp.errors import UserError
from deepstdp.runtime import launch

group = launch(Config(accelerator="cpu", devices=2)).group
assert group.size == 2
assert group.sum(torch.tensor([1.5, group.rank])).tolist() == [3.0, 1.0]
own = torch.full((2 - group.rank, 2), group.rank)
assert group.gather(own).tolist() == [[0, 0], [0, 0], [1, 1]]
assert group.rows(2 - group.rank) == (2 * group.rank, 3)
assert group.first(lambda: ("rank", group.rank)) == ("rank", 0)

def refuse():
    raise UserError("not here")

try:
    group.first(refuse)
except UserError as error:
    assert str(error) == "not here"
else:
    raise AssertionError
# In one write, which the other process cannot cut in two.
print(f"done {group.rank}\\n", end="", flush=True)
"""


def test_two_processes_over_gloo(tmp_path):
    script = tmp_path / "collectives.py"
    script.write_text(COLLECTIVES)
    result = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=120, check=False
    )
    assert sorted(result.stdout.split("\n")[:2]) == ["done 0", "done 1"], result.stderr
    assert result.returncode == 0
