"""From recordings' features to the encoder's input: scaled within each stimulus, pooled over the stimuli there are.

Smiles belong to happiness, so a feature is compared with the training people's before the same stimulus: z = (x -
mean) / sd there. A person's input is the mean z over the recordings' stimuli: directly for the quantities with a
clinical name (action units, movement measures) and for shape coefficients where they are asked for, and as principal
axes for everything else: single coefficients' level, spread and speed, and how each stimulus departs from the mean. A
stimulus that was not recorded is thus not guessed: it takes no part in the mean, and its departures are zero.

Intensities and rates cannot be below zero and are skewed to the right over people: a difference among small ones says
more than the same among large ones. So the pooled z of named quantities is bent: BEND * log(1 + z / BEND).
Everything learnt here (means, standard deviations, principal axes) is learnt from the training people alone and
without their groups. Identity is not among the features unless it is asked for.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from atlas.aggregation import AggregatedFace, RecordingSummary
from reconstruction.errors import InputError

CLIP = 4.0  # z beyond this says 'unusual' and no more
BEND = 2.5  # standard deviations below the mean at which a skewed quantity would end
AXES = 8  # principal axes of what is not taken directly
SHAPE = "shape"
EXPRESSION, BOTH = "expression", "both"
KINDS = (EXPRESSION, SHAPE, BOTH)
BLOCKS = ("level", "spread", "speed", SHAPE, "named")
DIRECT = (SHAPE, "named")  # blocks whose features are inputs themselves


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

    @classmethod
    def of_matrix(cls, values: np.ndarray, names: Sequence[str] = (), stimuli: Sequence[str] = ()) -> "FeatureTable":
        """The table that `matrix` gave; without names every column is a feature before one unknown stimulus."""
        names = tuple(names) or tuple(f"x{i}" for i in range(values.shape[1]))
        return cls(names, tuple(stimuli), values.reshape(len(values), len(stimuli) + 1, len(names)))

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


def named_features(expression: tuple[str, ...], shape_components: int, kind: str = EXPRESSION) -> tuple[str, ...]:
    """Names of the features of a kind: `feature_names` of the expression, of the shape coefficients, or both.

    Raises
    ------
    InputError
        There is no such kind.
    """
    check_kind(kind)
    shape = tuple(f"{SHAPE} identity-{i + 1}" for i in range(shape_components))
    return (expression if kind != SHAPE else ()) + (shape if kind != EXPRESSION else ())


def check_kind(kind: str) -> None:
    """Raise InputError unless there are such features."""
    if kind not in KINDS:
        raise InputError(f"expected features {', '.join(KINDS)}, got {kind!r}; choose one of them.")


def kind_of(names: Sequence[str]) -> str:
    """The kind of features that have these names."""
    shape = [block(name) == SHAPE for name in names]
    return EXPRESSION if not any(shape) else SHAPE if all(shape) else BOTH


def features_of(recording: RecordingSummary, names: Sequence[str]) -> np.ndarray:
    """(F,) the features of a recording that have these names; names of the expression are all or none."""
    kind = kind_of(names)
    parts = {EXPRESSION: (recording.features,), SHAPE: (recording.shape,), BOTH: (recording.features, recording.shape)}
    return np.concatenate(parts[kind])


def feature_table(
    people: Sequence[Sequence[RecordingSummary]], names: tuple[str, ...], stimuli: tuple[str, ...]
) -> FeatureTable:
    """The table of people given as their recordings; several recordings of a stimulus are averaged."""
    values = np.full((len(people), len(stimuli) + 1, len(names)), np.nan)
    for i, recordings in enumerate(people):
        for row, stimulus in enumerate((*stimuli, None)):
            found = [
                features_of(r, names) for r in recordings if (r.stimulus if r.stimulus in stimuli else None) == stimulus
            ]
            if found:
                values[i, row] = _nanmean(np.stack(found), 0)
    return FeatureTable(names, stimuli, values)


@dataclass(frozen=True)
class Scaler:
    """What scaling learnt from training people.

    mean, sd : (Q + 1, F) by stimulus; the last row is over all, for recordings whose stimulus is unknown
    basis : (D, K) from `unprojected` to inputs: the direct blocks' features as they are, then principal axes of the
        others in the training people, each divided by sqrt(its variance + their mean variance): half-way to whitening
    bend : see the module's head; 0 for none
    """

    names: tuple[str, ...]
    stimuli: tuple[str, ...]
    mean: np.ndarray
    sd: np.ndarray
    basis: np.ndarray
    bend: float = BEND

    @cached_property
    def named(self) -> np.ndarray:
        """(F,) bool: features with a clinical name: action units and measures."""
        return np.array([block(name) == "named" for name in self.names])

    @cached_property
    def direct(self) -> np.ndarray:
        """(F,) bool: features that are inputs themselves."""
        return np.array([block(name) in DIRECT for name in self.names])

    @property
    def input_blocks(self) -> tuple[str, ...]:
        """Block of every one of the K inputs; ``axes`` are principal axes."""
        direct = [block(name) for name in self.names if block(name) in DIRECT]
        return (*direct, *["axes"] * (self.basis.shape[1] - len(direct)))

    def z(self, table: FeatureTable) -> np.ndarray:
        """(P, Q + 1, F) scaled features, clipped, NaN where missing."""
        return np.clip((table.values - self.mean) / self.sd, -CLIP, CLIP)

    def unprojected(self, z: np.ndarray) -> np.ndarray:
        """(P, D) pooled features by block, each block of equal weight, then the named ones' departures by stimulus."""
        pooled = np.nan_to_num(_nanmean(z, 1))
        named = self.named
        departures = np.nan_to_num(z[:, :-1, named] - pooled[:, None, named])
        if self.bend:
            pooled[:, named] = bent(pooled[:, named], self.bend)
        scale = np.sqrt(max(1, departures[0].size)) if len(z) else 1.0
        return np.concatenate([pooled * _block_weights(self.names), departures.reshape(len(z), -1) / scale], 1)

    def inputs(self, z: np.ndarray) -> np.ndarray:
        """(P, K) the encoder's input for scaled features (P, Q + 1, F)."""
        return self.unprojected(z) @ self.basis


def bent(z: np.ndarray, bend: float = BEND) -> np.ndarray:
    """Scaled quantities, stretched where they are small; the slope at the mean is 1."""
    return bend * np.log(np.maximum(1 + z / bend, 0.05))


def block(name: str) -> str:
    """The block a feature belongs to: ``level``, ``spread`` or ``speed`` of a coefficient, ``shape``, or ``named``."""
    kind = name.split(" ", 1)[0]
    return kind if kind in BLOCKS else "named"


def _block_weights(names: Sequence[str]) -> np.ndarray:
    """(F,) 1 / sqrt(size of the feature's block)."""
    blocks = np.array([block(name) for name in names])
    return 1 / np.sqrt([(blocks == kind).sum() for kind in blocks])


def fit_scaler(table: FeatureTable, bend: float = BEND) -> Scaler:
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
    flat = Scaler(table.names, table.stimuli, mean, sd, np.zeros((0, 0)), bend)
    return replace(flat, basis=_basis(flat, flat.unprojected(flat.z(table))))


def _basis(scaler: Scaler, rows: np.ndarray) -> np.ndarray:
    """(D, K) see `Scaler.basis`; rows : (P, D) of the training people."""
    direct = np.flatnonzero(scaler.direct)
    rest = np.setdiff1d(np.arange(rows.shape[1]), direct)
    basis = np.zeros((rows.shape[1], len(direct)))
    basis[direct, np.arange(len(direct))] = 1 / _block_weights(scaler.names)[direct]
    others = rows[:, rest] - rows[:, rest].mean(0)
    _, strength, axes = np.linalg.svd(others, full_matrices=False)
    keep = min(AXES, int((strength > 1e-6 * max(strength.max(initial=0), 1e-6)).sum()))
    if not keep:
        return basis if len(direct) else np.zeros((rows.shape[1], 1))
    largest = axes[np.arange(keep), np.abs(axes[:keep]).argmax(1)]
    axes = axes[:keep] * np.where(largest < 0, -1, 1)[:, None]  # the sign of a principal axis is arbitrary: fix it
    variance = strength[:keep] ** 2 / len(rows)
    shrunk = np.sqrt(variance + variance.mean())
    scale = 1 / (shrunk * np.sqrt((variance / shrunk**2).mean()))
    projected = np.zeros((rows.shape[1], keep))
    projected[rest] = (scale[:, None] * axes).T
    return np.concatenate([basis, projected], 1)


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
