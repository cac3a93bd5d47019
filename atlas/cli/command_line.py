"""How the program was called, for reports: names and settings, no path."""

from typing import Any


def command_line(command: str, *places: str, **options: Any) -> str:
    """``command_line("build", "cohort", out=path, seed=3)``: ``face-atlas build COHORT --out OUT --seed 3``.

    places : names of the arguments that are no options
    options : what was set; None and False are left out. Paths, and words that may be one, are named, never told
    """
    words = ["face-atlas", command, *(place.upper() for place in places)]
    for name, value in options.items():
        if value is None or value is False:
            continue
        words.append(f"--{name.replace('_', '-')}")
        if value is not True:
            words.append(_told(value, name.upper()))
    return " ".join(words)


def _told(value: Any, name: str) -> str:
    if isinstance(value, list | tuple):
        return " ".join(_told(item, name) for item in value)
    told = str(value)
    harmless = isinstance(value, int | float) or (isinstance(value, str) and not any(c in told for c in "/\\. "))
    return told if harmless else name
