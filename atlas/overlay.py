"""Biomarker overlay: how far every vertex moves, per group, and how that differs from the reference group, in mm.

The motion of a vertex in one person is the root mean squared displacement about its mean position, within recordings
(the recordings' variances are averaged with equal weight for each stimulus; differences between stimuli do not
count). Displacement, not speed, because it does not depend on the frame rate. Identity, head pose and neck are
removed: the motion is that of the template's mean head in the head frame. It is computed from the covariance of the
motion coefficients, never from vertices over time. The fit's own noise is part of it, for every group alike.

People are the unit: group values are means of people's maps, intervals come from resampling people.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from atlas.aggregation import AggregatedFace
from atlas.motion import MotionSpace
from reconstruction.errors import InputError

REFERENCE = "HC"
LEVEL = 0.95
RESAMPLES = 1000


@dataclass(frozen=True)
class Overlay:
    """One group's motion and its difference from the reference group; arrays are (V,) float32.

    motion_mm : mean over the group's people
    motion_sd_mm : standard deviation over people
    difference_mm : mean minus the reference group's mean; positive is more motion than in the reference group
    low_mm, high_mm : `level` interval of the difference, percentile bootstrap over people
    effect : Hedges' g, the difference in pooled person-level standard deviations, corrected for small groups
    people, reference_people : what it rests on
    For the reference group itself difference, interval and effect are zero.
    """

    group: str
    reference: str
    people: int
    reference_people: int
    level: float
    motion_mm: np.ndarray
    motion_sd_mm: np.ndarray
    difference_mm: np.ndarray
    low_mm: np.ndarray
    high_mm: np.ndarray
    effect: np.ndarray

    @property
    def excludes_zero(self) -> np.ndarray:
        """(V,) bool: vertices whose interval does not hold zero; each by itself, not corrected for their number."""
        return (self.low_mm > 0) | (self.high_mm < 0)


def reference_group(groups: Sequence[str], reference: str | None = None) -> str:
    """The group the others are compared with: `reference`, or HC.

    Raises
    ------
    InputError
        There is no such group.
    """
    wanted = REFERENCE if reference is None else reference
    if wanted not in groups:
        raise InputError(
            f"expected the reference group {wanted} among the groups {', '.join(groups)}, but it is not there; "
            "name one "
            "of them with --reference."
        )
    return wanted


def overlays(
    people: Sequence[AggregatedFace],
    space: MotionSpace,
    reference: str | None = None,
    *,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
    seed: int = 0,
) -> dict[str, Overlay]:
    """An overlay for every group, by name; deterministic in `seed`.

    Raises
    ------
    InputError
        The reference group is not there.
    """
    groups = sorted({person.group for person in people})
    base = reference_group(groups, reference)
    maps = {g: np.stack([space.rms_mm(p.covariance()) for p in people if p.group == g]) for g in groups}
    out = {}
    for number, group in enumerate(groups):
        of_group, of_base = maps[group], maps[base]
        if group == base:
            zero = np.zeros(of_group.shape[1], np.float32)
            difference, low, high, effect = zero, zero, zero, zero
        else:
            difference = of_group.mean(0) - of_base.mean(0)
            rng = np.random.default_rng([seed, number])
            low, high = _interval(of_group, of_base, resamples, level, rng)
            effect = _hedges(of_group, of_base)
        out[group] = Overlay(
            group=group,
            reference=base,
            people=len(of_group),
            reference_people=len(of_base),
            level=level,
            motion_mm=of_group.mean(0),
            motion_sd_mm=of_group.std(0, ddof=1) if len(of_group) > 1 else np.zeros_like(of_group[0]),
            difference_mm=difference,
            low_mm=low,
            high_mm=high,
            effect=effect,
        )
    return out


def _interval(
    a: np.ndarray, b: np.ndarray, resamples: int, level: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Percentile bootstrap of mean(a) - mean(b), people resampled within each group, (V,) low and high."""

    def weights(n: int) -> np.ndarray:
        return (rng.multinomial(n, np.full(n, 1 / n), size=resamples) / n).astype(np.float32)

    of_a, of_b = weights(len(a)), weights(len(b))
    tails = np.array([(1 - level) / 2, (1 + level) / 2])
    low, high = np.empty(a.shape[1], np.float32), np.empty(a.shape[1], np.float32)
    for start in range(0, a.shape[1], 2048):  # a slice of vertices at a time keeps the memory small
        part = slice(start, start + 2048)
        low[part], high[part] = np.quantile(of_a @ a[:, part] - of_b @ b[:, part], tails, axis=0)
    return low, high


def _hedges(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(V,) Hedges' g (Hedges 1981): Cohen's d times 1 - 3 / (4 df - 1); zero where nobody moves."""
    freedom = len(a) + len(b) - 2
    pooled = np.sqrt((a.var(0) * len(a) + b.var(0) * len(b)) / max(freedom, 1))
    d = np.divide(a.mean(0) - b.mean(0), pooled, out=np.zeros_like(pooled), where=pooled > 1e-6)
    return (d * (1 - 3 / (4 * max(freedom, 1) - 1))).astype(np.float32)
