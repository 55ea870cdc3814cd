import io

import pytest
from rich.console import Console

from deepstdp.progress import SILENT, ConsoleProgress


def test_silent_progress_passes_items_and_errors_through():
    with SILENT as progress:
        assert list(progress.track(range(3), "counting", 3)) == [0, 1, 2]
        with progress.busy("thinking"):
            pass
        with pytest.raises(KeyError), progress.busy("failing"):
            raise KeyError


def test_bars_on_a_terminal_are_drawn_and_removed(monkeypatch, capsys):
    terminal = io.StringIO()
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    monkeypatch.setattr(
        "deepstdp.progress.Console",
        lambda stderr: Console(file=terminal, force_terminal=True, width=80),
    )
    with ConsoleProgress() as progress:
        assert list(progress.track(range(2), "counting", 2)) == [0, 1]
        with progress.busy("thinking"):
            progress._bars.refresh()
        progress.line("done")
        assert not progress._bars.tasks
    assert "thinking" in terminal.getvalue()
    with pytest.raises(KeyError), ConsoleProgress() as progress, progress.busy("failing"):
        raise KeyError
