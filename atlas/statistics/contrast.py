"""Which groups are compared with which, and what a comparison is called."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from atlas.statistics.people import People
from reconstruction.errors import InputError

FEWEST = 2  # people a group needs to be tested


@dataclass(frozen=True)
class Contrast:
    """The first group minus the second: ``MDD-HC``."""

    first: str
    second: str

    @property
    def label(self) -> str:
        return f"{self.first}-{self.second}"

    def tested(self, people: People) -> np.ndarray:
        """(P,) 1 for the first group, 0 for the second, NaN for all others.

        Raises
        ------
        InputError
            A group has fewer than `FEWEST` people.
        """
        groups = np.array(people.groups, dtype=object)
        counts = {group: int((groups == group).sum()) for group in (self.first, self.second)}
        few = [f"{group} ({n})" for group, n in counts.items() if n < FEWEST]
        if few:
            raise InputError(
                f"expected at least {FEWEST} people in every group that is tested, but {', '.join(few)} has fewer; add "
                "people, or name other groups."
            )
        return np.where(groups == self.first, 1.0, np.where(groups == self.second, 0.0, np.nan))


def contrasts(groups: Sequence[str], reference: str) -> tuple[Contrast, ...]:
    """Every other group minus the reference, then the others among each other, the later name minus the earlier."""
    others = sorted(group for group in set(groups) if group != reference)
    among = [Contrast(later, earlier) for i, earlier in enumerate(others) for later in others[i + 1 :]]
    return (*(Contrast(group, reference) for group in others), *among)


def stream(seed: int, *labels: str) -> np.random.Generator:
    """Random numbers of their own for everything that has a name, whatever else there is."""
    return np.random.default_rng([seed, *(zlib.crc32(label.encode()) for label in labels)])
