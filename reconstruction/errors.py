"""The exceptions and the warning that a user is meant to read."""

from pathlib import Path


class InputError(ValueError):
    """Something the user gave cannot be used.

    The message is one sentence that names what was expected, what was given and the remedy. The command line prints it
    without a traceback and exits with status 2.
    """


def why_left_out(path: Path, error: InputError) -> str:
    """That a file was left out and why, for a note that is kept: the file by its name, not where it lay."""
    return f"{path.name} was left out: {str(error).replace(str(path), path.name)}"


class InputWarning(UserWarning):
    """Something the user gave was read, but not all of it. One sentence; the command line prints it as a note."""


class Refused(Exception):
    """A check refuses what was asked for: the input can be used, but the result passes a limit that was set for it.

    The message is one sentence that names the limit, what was found and what can be done. The command line prints it
    without a traceback and exits with status 3.
    """
