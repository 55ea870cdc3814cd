import pytest

from deepstdp.data.classes import select_classes
from deepstdp.errors import UserError

AVAILABLE = ["n3", "n1", "n2", "n4"]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("all", ["n1", "n2", "n3", "n4"]),
        ("first-2", ["n1", "n2"]),
        ("n4, n2", ["n2", "n4"]),
        (["n3", "n1", "n3"], ["n1", "n3"]),
    ],
)
def test_selection(wanted, expected):
    assert select_classes(AVAILABLE, wanted) == expected


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ("first-9", "only 4 classes"),
        ("n1,n22", "did you mean 'n2'"),
        ("zebra,n1", "there are n1"),
        ("n1", "needs two or more"),
        ("first-1", "needs two or more"),
    ],
)
def test_what_cannot_be_selected(wanted, message):
    with pytest.raises(UserError, match=message):
        select_classes(AVAILABLE, wanted)
