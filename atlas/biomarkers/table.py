"""Biomarkers of a cohort: one row a person, one column a quantity."""

from dataclasses import dataclass

import numpy as np

from atlas.biomarkers.quantity import Quantity


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
        known = np.isfinite(self.by_stimulus)
        count = known.sum(1)
        total = np.where(known, self.by_stimulus, 0).sum(1)
        return np.where(count > 0, total / np.maximum(count, 1), np.nan)

    def column(self, name: str) -> np.ndarray:
        """(P,) one quantity."""
        return self.values[:, self.names.index(name)]
