"""What an encoder is trained on: people, their single stimuli, and altered copies, as rows of inputs."""

from dataclasses import dataclass

import numpy as np

from atlas.augmentation import Augmentation, augmented
from atlas.features import FeatureTable, Scaler

SINGLE_WEIGHT = 0.5  # of all single stimuli of a person, against the whole person's 1


@dataclass(frozen=True)
class Rows:
    """P people first, then R single stimuli, then copies of the people.

    x : (N, K) inputs
    owners : (N,) whose row it is
    whole : (N,) bool, not a single stimulus
    share : (N,) weight within the person: the person and copies together 1, single stimuli `SINGLE_WEIGHT`
    singles : (P, S) rows of everyone's single stimuli, -1 for none
    """

    x: np.ndarray
    owners: np.ndarray
    whole: np.ndarray
    share: np.ndarray
    singles: np.ndarray

    @property
    def recordings(self) -> int:
        """R"""
        return int((~self.whole).sum())


def training_rows(table: FeatureTable, scaler: Scaler, augmentation: Augmentation, seed: int) -> Rows:
    """The rows of everyone in `table`; whether they are learnt from is decided elsewhere."""
    people = len(table)
    single, owner = table.single()
    rng = np.random.default_rng([seed, 5])
    inputs = [scaler.inputs(scaler.z(t)) for t in (table, single)]
    for _ in range(augmentation.copies):
        z = scaler.z(augmented(table, augmentation, rng))
        inputs.append(scaler.inputs(z + np.asarray(augmentation.noise) * rng.normal(size=z.shape)))
    copies = np.tile(np.arange(people), augmentation.copies)
    number = np.bincount(owner, minlength=people)
    singles = np.full((people, max(1, number.max(initial=0))), -1)
    singles[owner, np.arange(len(owner)) - np.searchsorted(owner, owner)] = people + np.arange(len(owner))
    alone = np.full(people, 1 / (1 + augmentation.copies))
    return Rows(
        x=np.concatenate(inputs),
        owners=np.concatenate([np.arange(people), owner, copies]),
        whole=np.repeat([True, False, True], [people, len(owner), len(copies)]),
        share=np.concatenate([alone, SINGLE_WEIGHT / number[owner], alone[copies]]),
        singles=singles,
    )
