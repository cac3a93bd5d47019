"""Training a batch of encoders; the loss is the match itself.

Cross-entropy of the scaled cosines to the standard faces, each person compared with a standard face of their group that
leaves them out, groups weighted equally. Options, each measured by ``scripts/measure_matcher.py`` and off unless it
won:

- a gate that weighs a person's stimuli instead of counting them alike (attention pooling; Ilse et al. 2018);
- rank regularisation and relabelling of people as in Emoface, which took them from Wang et al. (2020): a learnt
  importance in (0, 1) of every row scales its loss, the most important 70 % shall exceed the others by a margin, and a
  person among the others to whom another group is likelier by a margin is counted as of that group from then on. Single
  people are relabelled, only those that are learnt from, and never those who tell when to stop;
- altered copies of people (`atlas.augmentation`).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from atlas.augmentation import Augmentation
from atlas.rows import Rows

RATE = 0.01
DECAY = 0.05  # of the bent part alone
CHECKPOINTS = (0, 8, 32)  # steps at which training may stop
IMPORTANT = 0.7  # share of rows that are to be the important ones
RANK_MARGIN = 0.15
RELABEL_MARGIN = 0.2
RELABEL_FROM = 4  # steps before anyone is relabelled
SHARPNESSES = 2.0 ** np.arange(0, 8.5, 0.5)  # of the cosines in the loss, tried in turn


@dataclass(frozen=True)
class Training:
    """Options; see the module's head.

    checkpoints : steps at which training may stop, the first 0
    early_stopping : whether held-out people choose among them; without, training goes on to the last
    """

    attention: bool = False
    rank: bool = False
    relabel: bool = False
    augmentation: Augmentation = field(default_factory=Augmentation)
    checkpoints: tuple[int, ...] = CHECKPOINTS
    early_stopping: bool = True


@dataclass(frozen=True)
class Batch:
    """Encoders to train.

    x : (B, N, K) inputs of `rows`; labels, trained : (B, P)
    linear, offset : (B, K, E), (B, 1, E) what they start from
    """

    rows: Rows
    x: np.ndarray
    labels: np.ndarray
    trained: np.ndarray
    groups: int
    linear: np.ndarray
    offset: np.ndarray


@dataclass(frozen=True)
class State:
    """Encoders at a checkpoint: cosines (B, N, G) of all rows, prototypes (B, G, E), and weights by name (B, ...)."""

    cosines: np.ndarray
    prototypes: np.ndarray
    weights: dict[str, np.ndarray]


class Encoder(nn.Module):
    """Independent encoders, one for each of a batch; embeddings have length 1."""

    def __init__(self, linear: Tensor, offset: Tensor, hidden: int, seed: int, attention: bool = False):
        super().__init__()
        batch, inputs, size = linear.shape
        start = torch.randn(inputs, hidden, generator=torch.Generator().manual_seed(seed)) / inputs**0.5
        self.linear = nn.Parameter(linear.clone())
        self.offset = nn.Parameter(offset.clone())
        self.inner = nn.Parameter(start.to(linear).repeat(batch, 1, 1))
        self.bias = nn.Parameter(linear.new_zeros(batch, 1, hidden))
        self.outer = nn.Parameter(linear.new_zeros(batch, hidden, size))
        if attention:
            self.gate = nn.Parameter(linear.new_zeros(batch, inputs, 1))

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, K) inputs to (B, N, E) embeddings."""
        bent = torch.tanh(x @ self.inner + self.bias) @ self.outer
        return functional.normalize(x @ self.linear + self.offset + bent, dim=-1, eps=1e-6)

    def attended(self, x: Tensor, singles: Tensor) -> Tensor:
        """Inputs with everyone's stimuli weighted by softmax(x gate) instead of alike; before training they are alike.

        x : (B, N, K), people first; singles : (P, S) rows of their single stimuli, -1 for none
        """
        if not hasattr(self, "gate"):
            return x
        there = singles >= 0
        rows = x[:, singles.clamp_min(0)]  # (B, P, S, K)
        odds = (rows @ self.gate[:, None])[..., 0].masked_fill(~there, -1e9)
        alike = there / there.sum(1, keepdim=True).clamp_min(1)
        moved = ((torch.softmax(odds, 2) - alike) * there)[:, :, None] @ rows
        return torch.cat([x[:, : len(singles)] + moved[:, :, 0], x[:, len(singles) :]], 1)


def sharpness_of(cosines: np.ndarray, labels: np.ndarray) -> float:
    """What cosines (N, G) of held-out people are multiplied by for the least cross-entropy."""
    losses = [_cross_entropy(sharp * cosines, labels).mean() for sharp in SHARPNESSES]
    return float(SHARPNESSES[int(np.argmin(losses))])


def single_losses(cosines: np.ndarray, labels: np.ndarray, rows: Rows, people: np.ndarray) -> np.ndarray:
    """(len(people),) cross-entropy of everyone by all their rows, groups weighted equally; its mean is the loss.

    The cosines are made as sharp as is best for these people: how sure the matcher is, is calibrated later.
    """
    sharpness = sharpness_of(cosines[people], labels[people])
    each = rows.share * _cross_entropy(sharpness * cosines, labels[rows.owners])
    of_person = np.bincount(rows.owners, each, len(labels))[people]
    size = np.bincount(labels[people])
    return of_person * len(people) / (len(np.flatnonzero(size)) * size[labels[people]])


def train(
    batch: Batch, training: Training, seed: int, hidden: int, device: str, sharpness: Callable[[np.ndarray], np.ndarray]
) -> Iterator[State]:
    """Train a batch; yields its state at every checkpoint.

    sharpness : gives (B,) from the cosines (B, N, G) of the start
    """
    rows, groups = batch.rows, batch.groups
    people = batch.labels.shape[1]

    def there(array: np.ndarray) -> Tensor:
        floats = array.dtype.kind == "f"
        return torch.from_numpy(np.ascontiguousarray(array, np.float32 if floats else None)).to(device)

    x, labels, trained = there(batch.x), there(batch.labels), there(batch.trained)
    owners, share, singles = there(rows.owners), there(rows.share), there(rows.singles)
    encoder = Encoder(there(batch.linear), there(batch.offset), hidden, seed, training.attention)
    rest = [p for name, p in encoder.named_parameters() if name not in ("inner", "outer")]
    trust = nn.Parameter(x.new_zeros(len(x), x.shape[2], 1))
    optimiser = torch.optim.AdamW(
        [
            {"params": [encoder.inner, encoder.outer], "weight_decay": DECAY},
            {"params": [*rest, trust], "weight_decay": 0.0},
        ],
        lr=RATE,
    )
    # rows of people held out weigh nothing: only the others are trained on, as many for each encoder as the most have
    used = trained[:, owners]
    kept = torch.argsort((~used).int(), dim=1, stable=True)[:, : int(used.sum(1).max())]
    weight_used = torch.where(used, share, 0.0).gather(1, kept)

    def state() -> State:
        with torch.no_grad():
            seen = encoder.attended(x, singles)
            prototypes = encoder(_means(seen, labels, trained, groups))
            cosines = encoder(seen) @ prototypes.transpose(1, 2)
        weights = {name: value.detach().cpu().numpy().copy() for name, value in encoder.named_parameters()}
        return State(cosines.cpu().numpy(), prototypes.cpu().numpy(), weights)

    start = state()
    yield start
    sharp = there(np.asarray(sharpness(start.cosines), float))[:, None, None]
    done = 0
    for checkpoint in training.checkpoints[1:]:
        for step in range(done, checkpoint):
            optimiser.zero_grad()
            scores = sharp * _left_out(encoder, encoder.attended(x, singles), labels, trained, owners, kept, groups)
            column = labels[:, owners].gather(1, kept)
            losses = torch.logsumexp(scores, -1) - scores.gather(2, column[..., None])[..., 0]
            size = functional.one_hot(column, groups).mul(weight_used[..., None]).sum(1)  # (B, G)
            weight = weight_used / (size.gather(1, column) * groups).clamp_min(1e-9)
            if training.rank or training.relabel:
                importance = torch.sigmoid(x.gather(1, kept[..., None].expand(-1, -1, x.shape[2])) @ trust)[..., 0]
                losses, low = _ranked(losses, importance, weight_used > 0, training.rank)
                if training.relabel and step >= RELABEL_FROM:
                    labels = _relabelled(labels, trained, torch.softmax(scores.detach(), 2), kept, low, people)
            (weight * losses).sum().backward()
            optimiser.step()
        done = checkpoint
        yield state()


def _left_out(
    encoder: Encoder, x: Tensor, labels: Tensor, trained: Tensor, owners: Tensor, kept: Tensor, groups: int
) -> Tensor:
    """(B, n, G) cosines of the rows trained on, each with a standard face of its group that leaves its person out."""
    people = labels.shape[1]
    means = _means(x, labels, trained, groups)
    wide = (-1, -1, x.shape[2])
    count = (functional.one_hot(labels, groups) * trained[..., None]).sum(1)  # (B, G)
    own_count = count.gather(1, labels)[..., None]
    own_mean = means.gather(1, labels[..., None].expand(wide))
    inside = trained[..., None].to(x)
    without = (own_count * own_mean - inside * x[:, :people]) / (own_count - inside).clamp_min(1)
    rows = owners[kept][..., None]
    embedded = encoder(x.gather(1, kept[..., None].expand(wide)))
    without = encoder(without)
    own = without.gather(1, rows.expand(-1, -1, without.shape[2]))
    cosines = embedded @ encoder(means).transpose(1, 2)
    column = labels[:, owners].gather(1, kept)[..., None]
    return cosines.scatter(2, column, (embedded * own).sum(-1, keepdim=True))


def _means(x: Tensor, labels: Tensor, trained: Tensor, groups: int) -> Tensor:
    """(B, G, K) mean input of every group's training people."""
    member = (functional.one_hot(labels, groups) * trained[..., None]).transpose(1, 2).to(x)
    return member @ x[:, : labels.shape[1]] / member.sum(2, keepdim=True).clamp_min(1)


def _ranked(losses: Tensor, importance: Tensor, used: Tensor, rank: bool) -> tuple[Tensor, Tensor]:
    """Losses (B, n) scaled by importance, with the ranking's penalty where asked for, and the unimportant rows."""
    masked = importance.masked_fill(~used, -1.0)
    place = torch.argsort(torch.argsort(masked, dim=1, descending=True, stable=True), dim=1, stable=True)
    high = used & (place < IMPORTANT * used.sum(1, keepdim=True))
    low = used & ~high
    scaled = losses * importance / importance.mean(1, keepdim=True)
    if rank:
        gap = _mean(importance, high) - _mean(importance, low)
        scaled = scaled + functional.relu(RANK_MARGIN - gap)[:, None]
    return scaled, low


def _mean(values: Tensor, inside: Tensor) -> Tensor:
    return (values * inside).sum(1) / inside.sum(1).clamp_min(1)


def _relabelled(
    labels: Tensor, trained: Tensor, probabilities: Tensor, kept: Tensor, low: Tensor, people: int
) -> Tensor:
    """Group numbers (B, P) with those unimportant people changed who are likelier of another group by the margin."""
    likeliest, best = probabilities.max(2)
    own = probabilities.gather(2, labels.gather(1, kept.clamp_max(people - 1))[..., None])[..., 0]
    change = low & (kept < people) & (likeliest - own > RELABEL_MARGIN)  # people's own rows alone decide
    # rows that change nothing write to a column that is cut off
    place = torch.where(change, kept, people)
    changed = torch.cat([labels, labels[:, :1]], 1).scatter(1, place, torch.where(change, best, labels[:, :1]))
    return torch.where(trained, changed[:, :people], labels)


def _cross_entropy(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """(N,) of logits (N, G)."""
    most = logits.max(1, keepdims=True)
    return np.log(np.exp(logits - most).sum(1)) + most[:, 0] - logits[np.arange(len(labels)), labels]
