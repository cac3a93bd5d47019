"""Where the encoder starts: the linear discriminant, shrunken, as an embedding whose cosines decide as it does.

Many at once: a leading axis B is of independent problems. x are inputs; within groups, inputs have standard deviations
s and correlations R.

1. R is shrunk towards correlations that are alike within a block of inputs and zero between blocks (Ledoit and Wolf
   2004): people differ in how expressive they are altogether, and hardly in anything else.
2. A group's mean differs from the mean of the groups by s * D. Most quantities differ in no group, some do: under a
   prior of a spike at zero and a normal slab, alike for the inputs of a block and fitted by expectation-maximisation,
   D is replaced by its posterior mean (empirical Bayes; Johnstone and Silverman 2004). An input is in the slab for all
   groups or for none.
3. Scores W = R^-1 D^T, of covariance S = D R^-1 D^T, are turned into G - 1 uncorrelated coordinates of unit variance,
   in which the discriminant is the nearest group mean.
4. The origin is moved to where all group means are equally far (as nearly as a ridge allows) and one more coordinate, a
   constant, is added: the angle then says what the distance did, also how far someone is from the border. Without it
   two groups would know no cosines but -1 and 1.
"""

import numpy as np

SHRINKAGE = 0.5  # of correlations
SLAB = 0.5  # of inputs with a difference, to start from
ROUNDS = 30  # of expectation-maximisation
RIDGE = 0.1  # of the origin's place, in squared standard deviations
LIFT = 1.5  # the constant coordinate, in root mean square lengths of the others


def discriminant(
    x: np.ndarray, labels: np.ndarray, weights: np.ndarray, blocks: np.ndarray, groups: int
) -> tuple[np.ndarray, np.ndarray]:
    """Linear part (B, K, G) and offset (B, 1, G) of an embedding.

    x : (B, N, K) inputs; labels : (B, N) group numbers; weights : (B, N) of rows, a person's rows together 1, zero for
        who is not learnt from
    blocks : (B, K) number of the block every input belongs to, -1 for inputs that are not to be used
    """
    batch, _, size = x.shape
    used = blocks >= 0
    member = (labels[..., None] == np.arange(groups)) * weights[..., None]  # (B, N, G)
    count = np.maximum(member.sum(1), 1e-12)  # (B, G)
    means = np.einsum("bng,bnk->bgk", member, x) / count[..., None]
    rows = (x - np.take_along_axis(means, labels[..., None], 1)) * np.sqrt(weights)[..., None]
    freedom = np.maximum(count.sum(1) - groups, 1)
    covariance = rows.transpose(0, 2, 1) @ rows / freedom[:, None, None]
    sd = np.sqrt(np.maximum(np.diagonal(covariance, axis1=1, axis2=2), 1e-8))  # (B, K)
    correlation = _shrunk(covariance / (sd[:, :, None] * sd[:, None]), blocks)

    centre = means.mean(1, keepdims=True)
    differences = (means - centre) / sd[:, None] * used[:, None]
    differences = _posterior(differences, (1 - 1 / groups) * (1 / count).mean(1), blocks)
    scores = np.linalg.solve(correlation, differences.transpose(0, 2, 1))  # (B, K, G)
    strength, turn = np.linalg.eigh(differences @ scores)
    strength, turn = strength[:, 1:], turn[:, :, 1:]  # contrasts of G groups have G - 1 dimensions
    turn = turn * np.where(np.take_along_axis(turn, np.abs(turn).argmax(1)[:, None], 1) < 0, -1, 1)
    strength = np.maximum(strength, 1e-6 * np.maximum(strength[:, -1:], 1e-6))
    linear = scores @ (turn / np.sqrt(strength)[:, None]) / sd[..., None]  # (B, K, G - 1)

    placed = (means - centre) @ linear  # (B, G, G - 1)
    square = (placed**2).sum(2, keepdims=True)
    normal = placed.transpose(0, 2, 1) @ placed + RIDGE * np.eye(groups - 1)
    origin = np.linalg.solve(normal, placed.transpose(0, 2, 1) @ (square - square.mean(1, keepdims=True)) / 2)
    origin = origin.transpose(0, 2, 1)  # (B, 1, G - 1)
    length = np.sqrt(((placed - origin) ** 2).sum(2).mean(1) + groups - 1)
    offset = np.concatenate([-centre @ linear - origin, LIFT * length[:, None, None]], 2)
    return np.concatenate([linear, np.zeros((batch, size, 1))], 2), offset


def _shrunk(correlation: np.ndarray, blocks: np.ndarray) -> np.ndarray:
    """(B, K, K) correlations shrunk towards one alike within each block; inputs not used are uncorrelated."""
    size = blocks.shape[1]
    target = np.zeros_like(correlation)
    for number in range(blocks.max() + 1):
        pair = (blocks == number)[:, :, None] & (blocks == number)[:, None]
        pair &= ~np.eye(size, dtype=bool)
        mean = np.where(pair, correlation, 0).sum((1, 2)) / np.maximum(pair.sum((1, 2)), 1)
        target += pair * np.clip(mean, 0, 0.9)[:, None, None]
    shrunk = (1 - SHRINKAGE) * correlation + SHRINKAGE * target
    shrunk = np.where((blocks >= 0)[:, :, None] & (blocks >= 0)[:, None], shrunk, 0)
    shrunk[:, np.arange(size), np.arange(size)] = 1
    return shrunk


def _posterior(differences: np.ndarray, variance: np.ndarray, blocks: np.ndarray) -> np.ndarray:
    """(B, G, K) posterior mean of the groups' differences, whose estimates have sampling variance `variance` (B,)."""
    groups = differences.shape[1]
    freedom = groups - 1
    square = (differences**2).mean(1)  # (B, K), of a contrast
    noise = variance[:, None]
    out = np.zeros_like(differences)
    for number in range(blocks.max() + 1):
        inside = blocks == number
        some = np.maximum(inside.sum(1, keepdims=True), 1)
        slab = np.maximum((square * inside).sum(1, keepdims=True) / some - noise, 0.01)
        share = np.full_like(slab, SLAB)
        for _ in range(ROUNDS):
            shrink = slab / (slab + noise)
            against = np.log((1 - share) / share) - freedom / 2 * (np.log1p(-shrink) + shrink * square / noise)
            weight = 1 / (1 + np.exp(np.clip(against, -500, 500)))
            in_slab = np.maximum((weight * inside).sum(1, keepdims=True), 1e-9)
            share = np.clip(in_slab / some, 0.05, 0.95)
            spread = shrink**2 * square + shrink * noise
            slab = np.maximum((weight * inside * spread).sum(1, keepdims=True) / in_slab, 1e-4)
        out += (inside * weight * shrink)[:, None] * differences
    return out
