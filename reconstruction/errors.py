"""The one exception a user is meant to read."""


class InputError(ValueError):
    """Something the user gave cannot be used.

    The message is one sentence that names what was expected, what was given and the remedy. The command line prints it
    without a traceback and exits with status 2.
    """
