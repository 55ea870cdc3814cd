import pytest

from deepstdp.tables import duration, markdown_table, number_table


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.2, "0 s"),
        (59.4, "59 s"),
        (59.6, "1:00 min"),
        (3599.6, "1:00 h"),
        (86_399.6, "24:00 h"),
        (86_400, "24:00 h"),
        (180_000, "50:00 h"),
    ],
)
def test_durations(seconds, said):
    assert duration(seconds) == said


def test_columns_are_aligned():
    assert markdown_table(["a", "long"], [["bcd", "1"]]) == [
        "| a   | long |",
        "| --- | ---- |",
        "| bcd | 1    |",
    ]


def test_numbers_side_by_side():
    table = number_table({"stdp": {"nmi": 0.72349, "empty": 0}, "untrained": {"nmi": 1.0}})
    assert table.splitlines() == [
        "           stdp  untrained",
        "nmi       0.723      1.000",
        "empty         0          -",
    ]
