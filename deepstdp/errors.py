"""The error that a user can cause: shown as a single line, exit code 2."""


class UserError(ValueError):
    """Something the user gave cannot be used; the message says what to do about it.

    Attributes:
        is_shared: all processes of a run raise it, so that the first may speak for all.
    """

    is_shared = False


def one_line(message: str) -> str:
    """A message of several lines as one."""
    return " ".join(part.strip() for part in message.split("\n") if part.strip())
