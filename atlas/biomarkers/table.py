"""Biomarkers of a cohort: one row a person, one column a quantity."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from atlas.biomarkers.quantity import Quantity
from reconstruction.errors import InputError


@dataclass(frozen=True)
class BiomarkerTable:
    """Biomarkers of P people before S stimuli.

    quantities : Q of them
    people, groups : P ids, and the group of each
    stimuli : S names
    by_stimulus : (P, S, Q) float64, the mean of a person's recordings before a stimulus; NaN where unknown
    """

    quantities: tuple[Quantity, ...]
    people: tuple[str, ...]
    groups: tuple[str, ...]
    stimuli: tuple[str, ...]
    by_stimulus: np.ndarray

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(quantity.name for quantity in self.quantities)

    @property
    def values(self) -> np.ndarray:
        """(P, Q) mean over the stimuli there are, equally weighted; NaN where none knows the quantity."""
        return known_mean(self.by_stimulus, 1)

    def column(self, name: str) -> np.ndarray:
        """(P,) one quantity."""
        return self.values[:, self.names.index(name)]


class Measured(Protocol):
    """A recording with its vector of biomarkers (Q,), and what was shown."""

    @property
    def stimulus(self) -> str: ...
    @property
    def biomarkers(self) -> np.ndarray: ...


class Person(Protocol):
    """A person with measured recordings."""

    @property
    def id(self) -> str: ...
    @property
    def group(self) -> str: ...
    @property
    def recordings(self) -> Sequence[Measured]: ...


def biomarker_table(people: Sequence[Person], quantities: tuple[Quantity, ...]) -> BiomarkerTable:
    """The table of people whose recordings carry vectors of `quantities`, in the people's order; several recordings
    before one stimulus are averaged.
    """
    stimuli = tuple(sorted({r.stimulus for person in people for r in person.recordings}))
    values = np.full((len(people), len(stimuli), len(quantities)), np.nan)
    for row, person in zip(values, people, strict=True):
        for cell, stimulus in zip(row, stimuli, strict=True):
            shown = [r.biomarkers for r in person.recordings if r.stimulus == stimulus]
            if shown:
                cell[:] = known_mean(np.stack(shown), 0)
    ids, groups = tuple(person.id for person in people), tuple(person.group for person in people)
    return BiomarkerTable(quantities, ids, groups, stimuli, values)


def known_mean(values: np.ndarray, axis: int) -> np.ndarray:
    """Mean over what is not NaN; NaN where nothing is."""
    known = np.isfinite(values)
    count = known.sum(axis)
    return np.where(count > 0, np.where(known, values, 0).sum(axis) / np.maximum(count, 1), np.nan)


def stimulus_columns(table: BiomarkerTable) -> BiomarkerTable:
    """The same people with every quantity before every stimulus by itself, ``AU12_in_anger``; of one stimulus, all."""
    made = [derived(q, f"_in_{s}", f"before the stimulus {s}") for s in table.stimuli for q in table.quantities]
    values = table.by_stimulus.reshape(len(table.people), 1, -1)
    return BiomarkerTable(tuple(made), table.people, table.groups, ("all",), values)


def reactivity_columns(table: BiomarkerTable, neutral: str = "neutral") -> BiomarkerTable:
    """The same people with the reactivity to every stimulus but the neutral one: the quantity before the stimulus less
    that before the neutral one, ``AU12_anger_less_neutral``.

    Raises
    ------
    InputError
        No recording is of the neutral stimulus, or none of another.
    """
    if neutral not in table.stimuli or len(table.stimuli) < 2:
        raise InputError(
            f"expected recordings of the stimulus {neutral} and of others to tell reactivity, but found "
            f"{', '.join(table.stimuli) or 'none'}; name the recordings' tasks or leave reactivity out."
        )
    base = table.stimuli.index(neutral)
    others = [i for i in range(len(table.stimuli)) if i != base]
    made = [
        derived(q, f"_{table.stimuli[i]}_less_{neutral}", f"before {table.stimuli[i]} less before {neutral}")
        for i in others
        for q in table.quantities
    ]
    values = table.by_stimulus[:, others] - table.by_stimulus[:, [base]]
    return BiomarkerTable(tuple(made), table.people, table.groups, ("all",), values.reshape(len(table.people), 1, -1))


def side_by_side(tables: Sequence[BiomarkerTable]) -> BiomarkerTable:
    """One table of the same people with the quantities of all, each as the mean over its table's stimuli."""
    quantities = tuple(quantity for table in tables for quantity in table.quantities)
    values = np.concatenate([table.values for table in tables], 1)[:, None]
    return BiomarkerTable(quantities, tables[0].people, tables[0].groups, ("all",), values)


def derived(quantity: Quantity, suffix: str, said: str) -> Quantity:
    """A quantity made from another, by what is `said`: its name and family take the suffix."""
    return replace(
        quantity,
        name=quantity.name + suffix,
        mirror=quantity.mirror + suffix,
        family=quantity.family + suffix,
        label=f"{quantity.label}, {said}",
        definition=f"{quantity.definition}; {said}",
    )
