import os
import subprocess
import sys

import pytest
import torch

from deepstdp.errors import UserError
from deepstdp.processes import ALONE, Group
from tests.helpers import in_processes


def group_of(rank: int, size: int) -> Group:
    group = Group()
    group.rank, group.size = rank, size
    return group


@pytest.mark.parametrize("n", [0, 1, 7, 100])
@pytest.mark.parametrize("size", [1, 2, 3, 8])
def test_shards_cover_all_rows_in_order_and_are_alike(n, size):
    shards = [group_of(rank, size).shard(n) for rank in range(size)]
    assert [i for shard in shards for i in shard] == list(range(n))
    assert max(map(len, shards)) - min(map(len, shards)) <= 1


def test_alone():
    x = torch.arange(3)
    assert ALONE.rows(3) == (0, 3)
    assert torch.equal(ALONE.sum(x), x)
    assert torch.equal(ALONE.gather(x), x)
    assert ALONE.first(lambda: 4) == 4


def test_rows_of_processes_that_hold_unequally_many():
    held = [5, 0, 2]
    assert in_processes(3, lambda group: group.rows(held[group.rank])) == [(0, 7), (5, 7), (5, 7)]


def test_an_error_of_the_first_is_raised():
    def refuse() -> None:
        raise UserError("no")

    with pytest.raises(UserError, match="no"):
        ALONE.first(refuse)


def test_compiled_code_leaves_the_number_of_torch_threads():
    """numba's OpenMP would set it for the whole process, and a resumed run differ in its sums."""
    code = (
        "import torch, deepstdp\n"
        "before = torch.get_num_threads()\n"
        "deepstdp.STDPClustering(2, max_iter=1).fit(torch.randn(20, 3))\n"
        "assert torch.get_num_threads() == before, torch.get_num_threads()\n"
    )
    threads = {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "2"}
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, **threads})
