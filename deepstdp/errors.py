"""The error that a user can cause: shown as a single line, exit code 2."""


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


def one_line(message: str) -> str:
    """A message of several lines as one."""
    return " ".join(part.strip() for part in message.split("\n") if part.strip())


def kind_and_line(error: Exception) -> str:
    """What another library raised: its kind, and the first line of what it says."""
    return f"{type(error).__name__}: {error}".split("\n")[0]
