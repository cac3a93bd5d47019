"""Who is held out when: whole people, or whole sites.

A splitter divides rows, each of which belongs to a person, into folds. Those here keep a person's rows together; the
audit checks that of any splitter.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.model_selection import StratifiedKFold

from atlas.aggregation import AggregatedFace
from atlas.features import FeatureTable
from atlas.participants import MISSING
from reconstruction.errors import InputError

PERSON, SITE = "person", "site"


@dataclass(frozen=True)
class Samples:
    """N rows to divide: one row a person, unless a splitter of smaller units is given.

    groups : G names, sorted
    labels : (N,) numbers into `groups`; owner : (N,) number of the person a row is of
    """

    table: FeatureTable
    groups: tuple[str, ...]
    labels: np.ndarray
    owner: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def sizes(self) -> dict[str, int]:
        """{group: people}"""
        return {name: len(set(self.owner[self.labels == g].tolist())) for g, name in enumerate(self.groups)}

    @property
    def names(self) -> np.ndarray:
        """(N,) group names."""
        return np.array(self.groups)[self.labels]


@dataclass(frozen=True)
class Fold:
    """name : in words; train, test : (N,) bool."""

    name: str
    train: np.ndarray
    test: np.ndarray


@dataclass(frozen=True)
class Split:
    """kind : `PERSON` or `SITE`; repeats : every one holds each row out once, in folds of its own."""

    kind: str
    repeats: tuple[tuple[Fold, ...], ...]

    @property
    def folds(self) -> tuple[Fold, ...]:
        return tuple(fold for repeat in self.repeats for fold in repeat)


Splitter = Callable[[Samples], Split]


def person_splitter(folds: int, repeats: int = 1, seed: int = 0) -> Splitter:
    """Folds of whole people, every fold with about the same share of each group; fewer where a group is smaller."""

    def split(samples: Samples) -> Split:
        people, first = np.unique(samples.owner, return_index=True)
        labels = samples.labels[first]
        number = max(2, min(folds, int(np.bincount(labels).min())))
        out = []
        for repeat in range(repeats):
            divided = StratifiedKFold(number, shuffle=True, random_state=seed + repeat).split(people, labels)
            tests = [np.isin(samples.owner, people[held]) for _, held in divided]
            out.append(tuple(Fold(f"repeat {repeat + 1}, fold {k + 1}", ~t, t) for k, t in enumerate(tests)))
        return Split(PERSON, tuple(out))

    return split


def sites_of(people: Sequence[AggregatedFace]) -> np.ndarray | None:
    """(P,) site of everyone; None where it is unknown for somebody, or there is one."""
    sites = np.array([person.extra.get("site", "").strip() for person in people])
    missing = any(site.lower() in MISSING for site in sites)
    return None if missing or len(set(sites)) < 2 else sites


def site_splitter(sites: np.ndarray) -> Splitter:
    """Every site, named for each person in `sites` (P,), held out once.

    Raises
    ------
    InputError
        When it splits: there is one site, or a group is at one site alone.
    """

    def split(samples: Samples) -> Split:
        of_row = sites[samples.owner]
        folds = []
        for site in sorted(set(of_row)):
            test = of_row == site
            lacking = sorted(set(range(len(samples.groups))) - set(samples.labels[~test]))
            if lacking:
                names = ", ".join(samples.groups[g] for g in lacking)
                raise InputError(
                    f"expected every group at two or more sites to leave a site out, but without {site} there is "
                    f"nobody of {names}; use --split person, and read the audit's finding on site."
                )
            folds.append(Fold(f"site {site}", ~test, test))
        return Split(SITE, (tuple(folds),))

    return split


def site_split(sites: np.ndarray | None, samples: Samples) -> Split | None:
    """`site_splitter`'s split; None where there are no sites to hold out, or a group is at one alone."""
    if sites is None:
        return None
    try:
        return site_splitter(sites)(samples)
    except InputError:
        return None
