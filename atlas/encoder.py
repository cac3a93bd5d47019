"""The encoder: a small torch network whose embeddings are compared with the standard faces by cosine similarity.

e(x) = normalise(x + x A + tanh(x W + b) B). A, B and b start at zero, so that training starts from the cosine between
scaled features and only departs from it as far as held-out people gain by it. A group's standard face has an
embedding like any face: that of the mean of its people's aggregated faces. The training loss is the match itself:
cross-entropy of the scaled cosines to the standard faces, each person compared with a standard face of their group
that leaves them out, groups weighted equally, with weight decay. Single stimuli of a person are trained on beside the
whole person, so that a match may rest on one recording. How long to train is chosen by inner folds over people; what
the held-out people scored there also calibrates the matcher.

Many encoders (folds, permutations of the groups) are trained at once as one batch. One thread and a seed: the same
bytes.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from atlas.features import FeatureTable, Scaler, fit_scaler

HIDDEN = 24
SHARPNESS = 6.0  # of the cosines in the training loss
RATE, DECAY = 0.003, 0.05
CHECKPOINTS = (0, 2, 4, 8, 16, 32)  # steps at which training may stop
INNER_FOLDS = 3
SINGLE_WEIGHT = 0.5  # of all single stimuli of a person, against the whole person's 1
BATCH = 256  # encoders trained at once
BATCH_ROWS = 16384  # and inputs of all of them together: what a processor's cache holds


class Encoder(nn.Module):
    """`copies` independent encoders of inputs with `size` components; embeddings have length 1."""

    def __init__(self, copies: int, size: int, seed: int, hidden: int = HIDDEN):
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        start = torch.randn(size, hidden, generator=generator) / size**0.5
        self.linear = nn.Parameter(torch.zeros(copies, size, size))
        self.inner = nn.Parameter(start.repeat(copies, 1, 1))
        self.bias = nn.Parameter(torch.zeros(copies, 1, hidden))
        self.outer = nn.Parameter(torch.zeros(copies, hidden, size))

    def forward(self, x: Tensor) -> Tensor:
        """(copies, N, K) inputs to (copies, N, K) embeddings."""
        bent = torch.tanh(x @ self.inner + self.bias) @ self.outer
        return functional.normalize(x + x @ self.linear + bent, dim=-1, eps=1e-6)


@dataclass(frozen=True)
class Task:
    """One encoder to fit: `labels` (P,) group numbers, `train` (P,) bool the people to learn from."""

    labels: np.ndarray
    train: np.ndarray


@dataclass(frozen=True)
class FittedEncoder:
    """An encoder and what it was fitted with.

    weights : arrays ``linear`` (K, K), ``inner`` (K, H), ``bias`` (1, H), ``outer`` (H, K)
    prototypes : (G, K) embeddings of the groups' standard faces
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
        """(N, K) embeddings of scaled features (N, Q + 1, F)."""
        return embed(self.scaler.inputs(z), self.weights)

    def cosines(self, z: np.ndarray) -> np.ndarray:
        """(N, G) cosine similarity to every standard face."""
        return self.embed(z) @ self.prototypes.T


def embed(x: np.ndarray, weights: dict[str, np.ndarray]) -> np.ndarray:
    """`Encoder.forward` for one encoder in NumPy: inputs (N, K) to embeddings (N, K)."""
    out = x + x @ weights["linear"] + np.tanh(x @ weights["inner"] + weights["bias"]) @ weights["outer"]
    return out / np.maximum(np.linalg.norm(out, axis=-1, keepdims=True), 1e-6)


@contextmanager
def reproducible() -> Iterator[None]:
    """One thread and deterministic algorithms within, as they were after."""
    threads, strict = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
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
) -> list[FittedEncoder]:
    """Fit one encoder for each task; everything learnt, scaling included, is learnt from the task's training people.

    Tasks of the same training people share a scaler.
    """
    single, owner = table.single()
    rows: dict[bytes, tuple[Scaler, np.ndarray]] = {}
    for task in tasks:
        key = task.train.tobytes()
        if key not in rows:
            scaler = fit_scaler(FeatureTable(table.names, table.stimuli, table.values[task.train]))
            rows[key] = scaler, np.concatenate([scaler.inputs(scaler.z(t)) for t in (table, single)])
    owners = np.concatenate([np.arange(len(table)), owner])
    out = []
    per_batch = max(1, min(BATCH, BATCH_ROWS // len(owners)) // INNER_FOLDS)
    for start in range(0, len(tasks), per_batch):
        with reproducible():
            out += _fit_batch(tasks[start : start + per_batch], rows, owners, len(table), groups, seed)
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
    rows: dict[bytes, tuple[Scaler, np.ndarray]],
    owners: np.ndarray,
    people: int,
    groups: int,
    seed: int,
) -> list[FittedEncoder]:
    size = max(scaled.shape[1] for _, scaled in rows.values())

    def inputs(task: Task) -> np.ndarray:
        scaled = rows[task.train.tobytes()][1]
        return np.pad(scaled, ((0, 0), (0, size - scaled.shape[1])))

    folds = [inner_folds(task.labels, task.train, INNER_FOLDS, seed) for task in tasks]
    inner = [(task, fold != k, fold == k) for task, fold in zip(tasks, folds, strict=True) for k in range(INNER_FOLDS)]
    x = torch.from_numpy(np.stack([inputs(task) for task, _, _ in inner]).astype(np.float32))
    trained = np.stack([task.train & kept for task, kept, _ in inner])
    labels = np.stack([task.labels for task, _, _ in inner])
    steps = _train(x, labels, trained, owners, groups, seed)
    held = np.stack([h for _, _, h in inner])[:, owners]  # (B, N) rows of people held out
    best_loss, best = np.full(len(tasks), np.inf), np.zeros(len(tasks), int)
    chosen = np.full((len(tasks), len(owners), groups), np.nan)
    for step, (_, cosines) in zip(CHECKPOINTS, steps, strict=True):
        scores = np.where(held[..., None], cosines, 0).reshape(len(tasks), INNER_FOLDS, -1, groups).sum(1)
        for i, task in enumerate(tasks):
            used = task.train[owners]
            loss = _loss(scores[i], task.labels[owners], _row_weights(task.labels, task.train, owners))
            if loss < best_loss[i] - 1e-4:
                best_loss[i], best[i] = loss, step
                chosen[i] = np.where(used[:, None], scores[i], np.nan)

    x = torch.from_numpy(np.stack([inputs(task) for task in tasks]).astype(np.float32))
    trained, labels = np.stack([task.train for task in tasks]), np.stack([task.labels for task in tasks])
    final: dict[int, tuple[dict[str, np.ndarray], np.ndarray]] = {}
    for step, (encoder, _) in zip(CHECKPOINTS, _train(x, labels, trained, owners, groups, seed), strict=False):
        wanted = np.flatnonzero(best == step)
        if len(wanted):
            with torch.no_grad():
                prototypes = encoder(_means(x, labels, trained, groups)).numpy()
            arrays = {name: value.detach().numpy().copy() for name, value in encoder.named_parameters()}
            for i in wanted:
                final[i] = {name: value[i] for name, value in arrays.items()}, prototypes[i]
        if step == best.max():
            break
    out = []
    for i, task in enumerate(tasks):
        scaler, scaled = rows[task.train.tobytes()]
        k = scaled.shape[1]
        weights, prototype = final[i]
        weights = {
            "linear": weights["linear"][:k, :k],
            "inner": weights["inner"][:k],
            "bias": weights["bias"],
            "outer": weights["outer"][:, :k],
        }
        out.append(
            FittedEncoder(scaler, weights, prototype[:, :k], int(best[i]), chosen[i, :people], chosen[i, people:])
        )
    return out


def _means(x: Tensor, labels: np.ndarray, trained: np.ndarray, groups: int) -> Tensor:
    """(B, G, K) mean input of every group's training people."""
    member = torch.from_numpy((labels[:, None] == np.arange(groups)[:, None]) & trained[:, None]).to(x)
    return member @ x[:, : labels.shape[1]] / member.sum(2, keepdim=True).clamp_min(1)


def _row_weights(labels: np.ndarray, trained: np.ndarray, owners: np.ndarray) -> np.ndarray:
    """(N,) weight of every row: groups equal, people equal within one, single stimuli together `SINGLE_WEIGHT`."""
    people = len(labels)
    count = np.bincount(labels[trained], minlength=labels.max() + 1)
    each = np.where(trained, 1 / np.maximum(count[labels], 1), 0)
    singles = np.bincount(owners[people:], minlength=people)
    share = np.concatenate([np.ones(people), SINGLE_WEIGHT / singles[owners[people:]]])
    weights = each[owners] * share
    return weights / max(weights.sum(), 1e-12)


def _loss(cosines: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> float:
    logits = SHARPNESS * cosines
    log_sum = np.log(np.exp(logits - logits.max(1, keepdims=True)).sum(1)) + logits.max(1)
    return float(weights @ (log_sum - logits[np.arange(len(labels)), labels]))


def _train(
    x: Tensor, labels: np.ndarray, trained: np.ndarray, owners: np.ndarray, groups: int, seed: int
) -> Iterator[tuple[Encoder, np.ndarray]]:
    """Train a batch of encoders; yields the encoders and the cosines (B, N, G) of all rows at every checkpoint.

    x : (B, N, K) people, then single stimuli; labels, trained : (B, P); owners : (N,) whose row it is
    """
    batch, people = labels.shape
    encoder = Encoder(batch, x.shape[2], seed)
    optimiser = torch.optim.AdamW(encoder.parameters(), lr=RATE, weight_decay=DECAY)
    means = _means(x, labels, trained, groups)
    count = torch.from_numpy(
        np.stack([np.bincount(r[t], minlength=groups) for r, t in zip(labels, trained, strict=True)])
    )
    own = torch.from_numpy(labels)
    own_count = count.gather(1, own).to(x)[..., None]
    own_mean = means.gather(1, own[..., None].expand(-1, -1, x.shape[2]))
    in_mean = torch.from_numpy(trained)[..., None].to(x)
    without = (own_count * own_mean - in_mean * x[:, :people]) / (own_count - in_mean).clamp_min(1)
    weights = np.stack([_row_weights(r, t, owners) for r, t in zip(labels, trained, strict=True)])
    weight = torch.from_numpy(weights.astype(np.float32))
    column = own[:, torch.from_numpy(owners)][..., None]
    # rows of people held out weigh nothing: only the others are trained on, as many for each encoder as the most have
    used = trained[:, owners]
    kept = torch.from_numpy(np.argsort(~used, axis=1, kind="stable")[:, : used.sum(1).max()])
    column, weight = column.gather(1, kept[..., None]), weight.gather(1, kept)
    wide = (-1, -1, x.shape[2])
    seen = x.gather(1, kept[..., None].expand(wide))
    owner_rows = torch.from_numpy(owners)[kept][..., None].expand(wide)

    def training_cosines() -> Tensor:
        """(B, n, G) of the rows trained on, each with a standard face of its group that leaves its person out."""
        embedded, prototypes = encoder(seen), encoder(means)
        left_out = (embedded * encoder(without).gather(1, owner_rows)).sum(-1, keepdim=True)
        return (embedded @ prototypes.transpose(1, 2)).scatter(2, column, left_out)

    done = 0
    for checkpoint in CHECKPOINTS:
        for _ in range(checkpoint - done):
            optimiser.zero_grad()
            scores = SHARPNESS * training_cosines()
            losses = torch.logsumexp(scores, -1) - scores.gather(2, column)[..., 0]
            (weight * losses).sum().backward()
            optimiser.step()
        done = checkpoint
        with torch.no_grad():
            plain = (encoder(x) @ encoder(means).transpose(1, 2)).numpy()
        yield encoder, plain
