"""From recordings' features to the encoder's input: scaled within each stimulus, pooled over the stimuli there are.

Smiles belong to happiness, so a feature is compared with the training people's before the same stimulus: z = (x -
mean) / sd there. A person's input is the mean z over the recordings' stimuli, and, for the quantities that have a
clinical name, how each stimulus departs from that mean. A stimulus that was not recorded is thus not guessed: it
takes no part in the mean, and its departures are zero. Everything learnt here (means, standard deviations, principal
axes) is learnt from the training people alone and without their groups. Identity is not among the features.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from atlas.aggregation import AggregatedFace, RecordingSummary

CLIP = 4.0  # z beyond this says 'unusual' and no more
MAX_COMPONENTS = 32
BLOCKS = ("level", "spread", "speed", "named")


@dataclass(frozen=True)
class FeatureTable:
    """Features of P people.

    values : (P, Q + 1, F), one row for each stimulus, the last for unknown; NaN where missing
    """

    names: tuple[str, ...]
    stimuli: tuple[str, ...]
    values: np.ndarray

    def __len__(self) -> int:
        return len(self.values)

    def matrix(self) -> np.ndarray:
        """(P, (Q + 1) F) float64, the values as scikit-learn takes them."""
        return self.values.reshape(len(self.values), -1)

    def single(self) -> tuple["FeatureTable", np.ndarray]:
        """Every recorded stimulus of every person as a row of its own, and (R,) whose it is."""
        owner, stimulus = np.nonzero(np.isfinite(self.values).any(2))
        values = np.full((len(owner), *self.values.shape[1:]), np.nan)
        rows = np.arange(len(owner))
        values[rows, stimulus] = self.values[owner, stimulus]
        return FeatureTable(self.names, self.stimuli, values), owner


def stimuli_of(people: Sequence[AggregatedFace]) -> tuple[str, ...]:
    """Names of the stimuli that occur, without ``unknown``."""
    return tuple(sorted({s for person in people for s in person.stimuli} - {"unknown"}))


def feature_table(
    people: Sequence[Sequence[RecordingSummary]], names: tuple[str, ...], stimuli: tuple[str, ...]
) -> FeatureTable:
    """The table of people given as their recordings; several recordings of a stimulus are averaged."""
    values = np.full((len(people), len(stimuli) + 1, len(names)), np.nan)
    for i, recordings in enumerate(people):
        for row, stimulus in enumerate((*stimuli, None)):
            found = [r.features for r in recordings if (r.stimulus if r.stimulus in stimuli else None) == stimulus]
            if found:
                values[i, row] = _nanmean(np.stack(found), 0)
    return FeatureTable(names, stimuli, values)


@dataclass(frozen=True)
class Scaler:
    """What scaling learnt from training people.

    mean, sd : (Q + 1, F) by stimulus; the last row is over all, for recordings whose stimulus is unknown
    basis : (D, K) principal axes of the training people's inputs, each divided by sqrt(its variance + their mean
        variance): half-way to whitening, so that the cosine is not ruled by how expressive someone is in general
    """

    names: tuple[str, ...]
    stimuli: tuple[str, ...]
    mean: np.ndarray
    sd: np.ndarray
    basis: np.ndarray

    @property
    def named(self) -> np.ndarray:
        """(F,) bool: features with a clinical name: action units and measures."""
        return np.array([block(name) == "named" for name in self.names])

    def z(self, table: FeatureTable) -> np.ndarray:
        """(P, Q + 1, F) scaled features, clipped, NaN where missing."""
        return np.clip((table.values - self.mean) / self.sd, -CLIP, CLIP)

    def unprojected(self, z: np.ndarray) -> np.ndarray:
        """(P, D) pooled features by block, each block of equal weight, then the named ones' departures by stimulus."""
        pooled = np.nan_to_num(_nanmean(z, 1))
        kinds = np.array([block(name) for name in self.names])
        size = np.array([(kinds == kind).sum() for kind in kinds])
        named = self.named
        departures = np.nan_to_num(z[:, :-1, named] - pooled[:, None, named])
        scale = np.sqrt(max(1, departures[0].size)) if len(z) else 1.0
        return np.concatenate([pooled / np.sqrt(size), departures.reshape(len(z), -1) / scale], 1)

    def inputs(self, z: np.ndarray) -> np.ndarray:
        """(P, K) the encoder's input for scaled features (P, Q + 1, F)."""
        return self.unprojected(z) @ self.basis


def block(name: str) -> str:
    """The block a feature belongs to: ``level``, ``spread`` or ``speed`` of a coefficient, or ``named``."""
    kind = name.split(" ", 1)[0]
    return kind if kind in BLOCKS else "named"


def fit_scaler(table: FeatureTable) -> Scaler:
    """Learn a scaler from training people; every person counts once."""
    values = table.values
    pooled = values.reshape(-1, values.shape[2])
    overall_mean, overall_sd = np.nan_to_num(_nanmean(pooled, 0)), _nansd(pooled)
    mean = np.stack([_nanmean(values[:, q], 0) for q in range(values.shape[1])])
    sd = np.stack([_nansd(values[:, q]) for q in range(values.shape[1])])
    mean[-1], sd[-1] = overall_mean, overall_sd
    mean = np.where(np.isfinite(mean), mean, overall_mean)
    # a stimulus in which hardly anyone shows a movement must not blow up the few who do
    sd = np.maximum(sd, np.maximum(0.25 * overall_sd, 1e-6))
    flat = Scaler(table.names, table.stimuli, mean, sd, np.zeros((0, 0)))
    rows = flat.unprojected(flat.z(table))
    _, strength, axes = np.linalg.svd(rows - rows.mean(0), full_matrices=False)
    keep = min(MAX_COMPONENTS, max(1, int((strength > 1e-6 * max(strength[0], 1e-12)).sum())))
    largest = axes[np.arange(keep), np.abs(axes[:keep]).argmax(1)]
    axes = axes[:keep] * np.where(largest < 0, -1, 1)[:, None]  # the sign of a principal axis is arbitrary: fix it
    variance = strength[:keep] ** 2 / len(rows)
    shrunk = np.sqrt(variance + max(float(variance.mean()), 1e-12))
    scale = 1 / (shrunk * np.sqrt(max(float((variance / shrunk**2).mean()), 1e-12)))
    return Scaler(table.names, table.stimuli, mean, sd, (scale[:, None] * axes).T)


def pooled_z(z: np.ndarray) -> np.ndarray:
    """(N, F) mean over the stimuli there are of scaled features (N, Q + 1, F); zero, the mean, where none is known."""
    known = np.isfinite(z)
    return np.where(known, z, 0).sum(1) / np.maximum(known.sum(1), 1)


def _nanmean(values: np.ndarray, axis: int) -> np.ndarray:
    """Mean over what is not NaN; NaN where nothing is."""
    known = np.isfinite(values)
    count = known.sum(axis)
    return np.where(count > 0, np.where(known, values, 0).sum(axis) / np.maximum(count, 1), np.nan)


def _nansd(values: np.ndarray) -> np.ndarray:
    """(F,) standard deviation of the rows (N, F) over what is not NaN; zero where fewer than two are."""
    known = np.isfinite(values)
    centred = np.where(known, values - np.nan_to_num(_nanmean(values, 0)), 0)
    return np.sqrt((centred**2).sum(0) / np.maximum(known.sum(0) - 1, 1))
