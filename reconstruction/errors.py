"""The one exception a user is meant to read, and the one warning."""


class InputError(ValueError):
    """Something the user gave cannot be used.

    The message is one sentence that names what was expected, what was given and the remedy. The command line prints it
    without a traceback and exits with status 2.
    """


class InputWarning(UserWarning):
    """Something the user gave was read, but not all of it. One sentence; the command line prints it as a note."""
