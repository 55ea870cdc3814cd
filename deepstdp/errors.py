"""The one error a user can cause: shown as a single line, exit code 2."""


class UserError(ValueError):
    """Something the user gave cannot be used; the message says what to do about it."""
