"""The exceptions and the warning that a user is meant to read."""


class InputError(ValueError):
    """Something the user gave cannot be used.

    The message is one sentence that names what was expected, what was given and the remedy. The command line prints it
    without a traceback and exits with status 2.
    """


class InputWarning(UserWarning):
    """Something the user gave was read, but not all of it. One sentence; the command line prints it as a note."""


class Refused(Exception):
    """A check refuses what was asked for: the input can be used, but the result passes a limit that was set for it.

    The message is one sentence that names the limit, what was found and what can be done. The command line prints it
    without a traceback and exits with status 3.
    """
