"""The error that a user can cause: shown as a single line, exit code 2."""

_MOST_SAID = 1_000
"""Characters of what another library says: some repeat the file that they could not read."""


class UserError(ValueError):
    """Something the user gave cannot be used; the message says what to do about it.

    Attributes:
        is_shared: all processes of a run raise it, so that the first may speak for all.
    """

    is_shared = False

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))


def printable(message: str) -> str:
    """A message with escapes for what would break its line or command a terminal.

    File names and files of strangers can hold any character.
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in message)


def printable_lines(text: str) -> str:
    """The same of a text of several lines, such as a table with names in it."""
    return "\n".join(map(printable, text.split("\n")))


def one_line(message: str) -> str:
    """A message of several lines as one, of bounded length."""
    return _short(" ".join(part.strip() for part in message.split("\n") if part.strip()))


def first_line(error: BaseException) -> str:
    """The first line of what another library raised; its kind, if it says nothing."""
    return _first(error) or type(error).__name__


def kind_and_line(error: BaseException) -> str:
    """What another library raised: its kind, and the first line of what it says."""
    return f"{type(error).__name__}: {_first(error)}"


def _first(error: BaseException) -> str:
    return _short(str(error).strip().split("\n")[0])


def _short(said: str) -> str:
    return said if len(said) <= _MOST_SAID else f"{said[:_MOST_SAID]}..."
