"""The encoder: a small torch network whose embeddings are compared with the standard faces by cosine similarity.

e(x) = normalise(x A + a + tanh(x W + b) B), of as many dimensions as there are groups. A and a start as the shrunken
linear discriminant (`atlas.discriminant`), so that the nearest standard face by cosine is the discriminant's decision
before a single step; B starts at zero. Training departs from there only as far as held-out people gain by it. A group's
standard face has an embedding like any face: that of the mean of its people's aggregated faces.

Single stimuli of a person are trained on beside the whole person, so that a match may rest on one recording. Inner
folds over people tell how long to train (`atlas.training`), and what the held-out people scored there calibrates the
matcher.

Many encoders (folds, permutations of the groups) are fitted at once as one batch. One thread and a seed: the same
bytes. The batch may be trained on another device; embeddings are computed with NumPy.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch

from atlas.discriminant import discriminant
from atlas.features import FeatureTable, Scaler, fit_scaler
from atlas.rows import Rows, training_rows
from atlas.training import Batch, Training, sharpness_of, single_losses, train

HIDDEN = 24
INNER_FOLDS = 3
BATCH = 256  # encoders trained at once
BATCH_ROWS = 16384  # and inputs of all of them together: what a processor's cache holds
DEFAULT_TRAINING = Training()


@dataclass(frozen=True)
class Task:
    """One encoder to fit: `labels` (P,) group numbers, `train` (P,) bool the people to learn from."""

    labels: np.ndarray
    train: np.ndarray


@dataclass(frozen=True)
class FittedEncoder:
    """An encoder and what it was fitted with.

    weights : arrays of `weight_shapes`
    prototypes : (G, E) embeddings of the groups' standard faces
    steps : training steps, chosen by the inner folds
    held_people : (P, G) cosines of training people by encoders that did not learn from them, NaN for the others
    held_single : (R, G) the same for their single stimuli
    """

    scaler: Scaler
    weights: dict[str, np.ndarray]
    prototypes: np.ndarray
    steps: int
    held_people: np.ndarray
    held_single: np.ndarray

    def embed(self, z: np.ndarray) -> np.ndarray:
        """(N, E) embeddings of scaled features (N, Q + 1, F)."""
        x = self.scaler.inputs(z)
        return embed(attended(x, z, self.scaler, self.weights) if "gate" in self.weights else x, self.weights)

    def cosines(self, z: np.ndarray) -> np.ndarray:
        """(N, G) cosine similarity to every standard face."""
        return self.embed(z) @ self.prototypes.T


def weight_shapes(inputs: int, size: int, hidden: int, gated: bool = False) -> dict[str, tuple[int, int]]:
    """Shapes of an encoder's weights, for inputs of length K, embeddings of length E and H hidden units."""
    shapes = {
        "linear": (inputs, size),
        "offset": (1, size),
        "inner": (inputs, hidden),
        "bias": (1, hidden),
        "outer": (hidden, size),
    }
    return shapes | {"gate": (inputs, 1)} if gated else shapes


def embed(x: np.ndarray, weights: dict[str, np.ndarray]) -> np.ndarray:
    """Inputs (N, K) to embeddings (N, E) of length 1: `atlas.training.Encoder` for one encoder, in NumPy."""
    out = x @ weights["linear"] + weights["offset"]
    out = out + np.tanh(x @ weights["inner"] + weights["bias"]) @ weights["outer"]
    return out / np.maximum(np.linalg.norm(out, axis=-1, keepdims=True), 1e-6)


def attended(x: np.ndarray, z: np.ndarray, scaler: Scaler, weights: dict[str, np.ndarray]) -> np.ndarray:
    """(N, K) inputs with stimuli weighted by the gate instead of alike: see `atlas.training.Encoder.attended`."""
    owner, stimulus = np.nonzero(np.isfinite(z).any(2))
    single = np.full((len(owner), *z.shape[1:]), np.nan)
    rows = np.arange(len(owner))
    single[rows, stimulus] = z[owner, stimulus]
    inputs = scaler.inputs(single)
    odds = np.exp((inputs @ weights["gate"])[:, 0])
    share = odds / np.bincount(owner, odds, len(x))[owner] - 1 / np.bincount(owner, minlength=len(x))[owner]
    out = x.copy()
    np.add.at(out, owner, share[:, None] * inputs)
    return out


@contextmanager
def reproducible() -> Iterator[None]:
    """One thread and deterministic algorithms within, as they were after."""
    threads, strict = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # without it a CUDA device has none that are
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(strict)


def fit_encoders(
    table: FeatureTable,
    tasks: Sequence[Task],
    groups: int,
    seed: int = 0,
    training: Training = DEFAULT_TRAINING,
    device: str = "cpu",
) -> list[FittedEncoder]:
    """Fit one encoder for each task; everything learnt, scaling included, is learnt from the task's training people.

    Tasks of the same training people share a scaler.

    training : options of `atlas.training`
    device : that torch trains on, such as ``cuda``
    """
    made: dict[bytes, tuple[Scaler, Rows]] = {}
    for task in tasks:
        key = task.train.tobytes()
        if key not in made:
            scaler = fit_scaler(FeatureTable(table.names, table.stimuli, table.values[task.train]))
            made[key] = scaler, training_rows(table, scaler, training.augmentation, seed)
    out: list[FittedEncoder] = []
    most = max(len(rows.owners) for _, rows in made.values()) if made else 1
    per_batch = max(1, min(BATCH, BATCH_ROWS // most) // INNER_FOLDS)
    for start in range(0, len(tasks), per_batch):
        some = tasks[start : start + per_batch]
        with reproducible():
            out += _fit_batch(some, [made[task.train.tobytes()] for task in some], groups, seed, training, device)
    return out


def inner_folds(labels: np.ndarray, train: np.ndarray, folds: int, seed: int) -> np.ndarray:
    """(P,) fold of every training person, -1 for the others: stratified by group, shuffled by `seed`."""
    rng = np.random.default_rng(seed)
    fold = np.full(len(labels), -1)
    offset = 0
    for group in np.unique(labels[train]):
        members = rng.permutation(np.flatnonzero(train & (labels == group)))
        fold[members] = (np.arange(len(members)) + offset) % folds
        offset += len(members)
    return fold


def _fit_batch(
    tasks: Sequence[Task],
    made: Sequence[tuple[Scaler, Rows]],
    groups: int,
    seed: int,
    training: Training,
    device: str,
) -> list[FittedEncoder]:
    count, rows = len(tasks), made[0][1]
    people, recordings = len(tasks[0].labels), rows.recordings
    x = _padded([of_task.x for _, of_task in made])
    blocks = _padded([_block_numbers(scaler)[None] for scaler, _ in made], -1)[:, 0]
    labels, trained = (np.stack([getattr(task, name) for task in tasks]) for name in ("labels", "train"))
    fold = np.stack([inner_folds(task.labels, task.train, INNER_FOLDS, seed) for task in tasks])

    inner = np.repeat(np.arange(count), INNER_FOLDS)  # task of every inner fit
    out_of = fold[inner] == np.tile(np.arange(INNER_FOLDS), count)[:, None]
    batch = _batch(rows, x[inner], labels[inner], trained[inner] & ~out_of, blocks[inner], groups)
    held = out_of[:, rows.owners][..., None]

    def held_out(cosines: np.ndarray) -> np.ndarray:
        """(tasks, N, G) cosines of every row by the encoder that did not learn from it."""
        return np.where(held, cosines, 0).reshape(count, INNER_FOLDS, -1, groups).sum(1)

    def sharpnesses(cosines: np.ndarray) -> np.ndarray:
        of_people = held_out(cosines)[:, :people]
        return np.array([sharpness_of(c[t], y[t]) for c, t, y in zip(of_people, trained, labels, strict=True)])

    made_by = train(batch, training, seed, HIDDEN, device, lambda cosines: sharpnesses(cosines)[inner])
    states = [state.cosines for state in made_by]
    sharpness, scored = sharpnesses(states[0]), [held_out(cosines) for cosines in states]
    best = np.full(count, len(scored) - 1)
    if training.early_stopping:
        best = np.array([_best([s[i] for s in scored], labels[i], trained[i], rows) for i in range(count)])
    chosen = np.where(trained[:, rows.owners][..., None], np.stack(scored)[best, np.arange(count)], np.nan)

    final: dict[int, tuple[dict[str, np.ndarray], np.ndarray]] = {}
    batch = _batch(rows, x, labels, trained, blocks, groups)
    for number, state in enumerate(train(batch, training, seed, HIDDEN, device, lambda _: sharpness)):
        for i in np.flatnonzero(best == number):
            final[i] = {name: value[i] for name, value in state.weights.items()}, state.prototypes[i]
        if number == best.max():
            break
    out = []
    for i, (scaler, of_task) in enumerate(made):
        weights, prototypes = final[i]
        k = of_task.x.shape[1]
        weights = {n: w[:k] if n in ("linear", "inner", "gate") else w for n, w in weights.items()}
        held_people, held_single = chosen[i, :people], chosen[i, people : people + recordings]
        steps = training.checkpoints[best[i]]
        out.append(FittedEncoder(scaler, weights, prototypes, steps, held_people, held_single))
    return out


def _batch(
    rows: Rows, x: np.ndarray, labels: np.ndarray, trained: np.ndarray, blocks: np.ndarray, groups: int
) -> Batch:
    """Encoders to train, each from the discriminant of those that it learns from."""
    whole = np.flatnonzero(rows.whole)
    owners = rows.owners[whole]
    weights = rows.share[whole] * trained[:, owners]
    start = discriminant(x[:, whole], labels[:, owners], weights, blocks, groups)
    return Batch(rows, x, labels, trained, groups, *start)


def _best(scored: Sequence[np.ndarray], labels: np.ndarray, trained: np.ndarray, rows: Rows) -> int:
    """Number of the checkpoint to stop at: the one held-out people gain most by, if by more than its standard error."""
    people = np.flatnonzero(trained)
    start, *later = [single_losses(s, labels, rows, people) for s in scored]
    best, most = 0, 0.0
    for number, losses in enumerate(later, start=1):
        gain = start - losses
        if gain.mean() > max(most, gain.std() / np.sqrt(len(gain))):
            best, most = number, float(gain.mean())
    return best


def _block_numbers(scaler: Scaler) -> np.ndarray:
    """(K,) int: inputs that are alike share a number."""
    kinds = scaler.input_blocks
    order = sorted(set(kinds))
    return np.array([order.index(kind) for kind in kinds])


def _padded(arrays: Sequence[np.ndarray], fill: float = 0) -> np.ndarray:
    """Arrays (N, K) stacked, K made the longest."""
    size = max(array.shape[1] for array in arrays)
    return np.stack([np.pad(a, ((0, 0), (0, size - a.shape[1])), constant_values=fill) for a in arrays])
