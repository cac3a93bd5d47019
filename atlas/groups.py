"""Groups of people: how many a group needs, so that it has a spread and hides its people."""

from collections import Counter
from collections.abc import Sequence
from typing import Protocol

from reconstruction.errors import InputError

MIN_PEOPLE = 2  # below this a group has no mean and no spread
LEAST_PEOPLE = 10  # who exist: the mean of fewer would show them, and a new one would tell who was added


class HasGroup(Protocol):
    """A person of a group, however much is known about them."""

    @property
    def group(self) -> str: ...

    @property
    def simulated(self) -> bool: ...


def check_groups(people: Sequence[HasGroup], least: int = LEAST_PEOPLE) -> None:
    """Raise InputError unless there are two or more groups of two or more people, of whom nobody or `least` exist.

    least : 0 where nothing is averaged or compared: then one group is enough
    """
    counts = Counter(person.group for person in people)
    small = [f"{group} ({n})" for group, n in sorted(counts.items()) if n < MIN_PEOPLE]
    if small:
        raise InputError(
            f"expected at least {MIN_PEOPLE} people with usable recordings in every group, but {', '.join(small)} "
            "has fewer; "
            "add people or take the group out of participants.tsv."
        )
    real = Counter(person.group for person in people if not person.simulated)
    few = [f"{group} ({n})" for group, n in sorted(real.items()) if n < least]
    if few:
        raise InputError(
            f"expected at least {least} people with usable recordings in every group, because the mean of fewer would "
            f"show them, but {', '.join(few)} has fewer; add people, merge groups, or, if they do not exist, say so in "
            "a column simulated of participants.tsv."
        )
    if len(counts) < (2 if least else 1):
        raise InputError(
            f"expected people of {'at least two groups' if least else 'a group'}, but found "
            f"{', '.join(sorted(counts)) or 'nobody with a recording'}; "
            "check the column group of participants.tsv and the sub-* folders."
        )
