"""Whom a match would have refused, had they come when they were held out.

They take part in every other figure, as nobody may be left out of an evaluation for being hard; what the matcher is
worth on those it would have answered is told beside it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from atlas.aggregation import AggregatedFace
from atlas.domain import domain_of
from atlas.validation.held_out import HeldOut
from atlas.validation.intervals import Estimate, share
from atlas.validation.splits import Samples, Split


@dataclass(frozen=True)
class Refusals:
    """refused : share of people, by_group in every group
    accuracy, covered : of the people who are not refused
    each : (R, N) bool who is, in every repeat
    """

    refused: Estimate
    by_group: Mapping[str, Estimate]
    accuracy: Estimate
    covered: Estimate
    each: np.ndarray

    def to_json(self) -> dict[str, Any]:
        return {
            "refused": self.refused.to_json(),
            "refused_by_group": {name: found.to_json() for name, found in self.by_group.items()},
            "accuracy_of_others": self.accuracy.to_json(),
            "coverage_of_others": self.covered.to_json(),
        }


def refusals(people: Sequence[AggregatedFace], samples: Samples, split: Split, held: HeldOut) -> Refusals:
    """As `atlas.matcher.Matcher.match` refuses: by the movement, and by recordings, age and sex outside the domain of
    the people learnt from.

    people : of every row of `samples`; held : of the matcher
    """
    assert held.strange is not None, "FaceMatcher refuses"
    assert held.sets is not None, "FaceMatcher has prediction sets"
    each = held.strange.copy()
    for number, repeat in enumerate(split.repeats):
        for fold in repeat:
            domain = domain_of([people[i] for i in np.flatnonzero(fold.train)])
            for i in np.flatnonzero(fold.test):
                each[number, i] |= bool(domain.reasons(people[i].recordings, people[i].age, people[i].sex))
    labels = samples.labels
    answered = (~each).mean(0).sum()
    covered = held.sets[:, np.arange(len(labels)), labels]
    return Refusals(
        refused=share(each.mean(0).sum(), len(labels)),
        by_group={
            name: share(each.mean(0)[labels == g].sum(), int((labels == g).sum()))
            for g, name in enumerate(samples.groups)
        },
        accuracy=share(((held.best == labels) & ~each).mean(0).sum(), answered),
        covered=share((covered & ~each).mean(0).sum(), answered),
        each=each,
    )
