"""Biomarker overlays: what every vertex does in a group and how that differs from the reference group, in mm.

Two kinds. `MOTION`: how far a vertex moves, the root mean squared displacement about its mean position within
recordings (the recordings' variances are averaged with equal weight for each stimulus; differences between stimuli do
not count). Displacement, not speed, because it does not depend on the frame rate. `OUTWARD`: where it lies on average,
the mean expression's displacement along the outward normal of the template's mean head, against the face without
expression. Identity, head pose and neck are removed. Both are computed from the motion coefficients' mean and
covariance, never from vertices over time. The fit's own noise is part of the motion, for every group alike.

People are the unit: group values are means of people's maps, intervals come from resampling people.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from atlas.aggregation import AggregatedFace
from atlas.motion import MotionSpace
from reconstruction.errors import InputError
from reconstruction.rendering import vertex_normals
from reconstruction.template import Template

REFERENCE = "HC"
MOTION, OUTWARD = KINDS = ("motion", "outward")
LEVEL = 0.95
RESAMPLES = 1000


@dataclass(frozen=True)
class Overlay:
    """What one group's vertices do and the difference from the reference group; arrays are (V,) float32.

    kind : one of `KINDS`
    mean_mm : mean over the group's people
    sd_mm : standard deviation over people
    difference_mm : mean minus the reference group's mean; positive is more motion, or farther outward
    low_mm, high_mm : `level` interval of the difference, percentile bootstrap over people
    effect : Hedges' g, the difference in pooled person-level standard deviations, corrected for small groups
    p, p_fwe, q : of no difference: each vertex by itself; corrected for their number by the family-wise error and by
        the false discovery rate
    people, reference_people : what it rests on
    For the reference group itself difference, interval and effect are zero, and every p is one.
    """

    kind: str
    group: str
    reference: str
    people: int
    reference_people: int
    level: float
    mean_mm: np.ndarray
    sd_mm: np.ndarray
    difference_mm: np.ndarray
    low_mm: np.ndarray
    high_mm: np.ndarray
    effect: np.ndarray
    p: np.ndarray
    p_fwe: np.ndarray
    q: np.ndarray

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
    template: Template,
    reference: str | None = None,
    *,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
    seed: int = 0,
) -> dict[str, dict[str, Overlay]]:
    """{group: {kind: Overlay}} for every group; deterministic in `seed`.

    Raises
    ------
    InputError
        The reference group is not there.
    """
    groups = sorted({person.group for person in people})
    base = reference_group(groups, reference)
    outward = outward_directions(template, space)
    maps = {
        MOTION: {g: np.stack([space.rms_mm(p.covariance()) for p in people if p.group == g]) for g in groups},
        OUTWARD: {g: np.stack([p.motion() for p in people if p.group == g]) @ outward.T for g in groups},
    }
    return {
        group: {
            kind: _overlay(kind, group, base, maps[kind], resamples, level, np.random.default_rng([seed, number, k]))
            for k, kind in enumerate(KINDS)
        }
        for number, group in enumerate(groups)
    }


def outward_directions(template: Template, space: MotionSpace) -> np.ndarray:
    """(V, M) mm along the outward normals of the template's mean head for one unit of every motion coefficient."""
    normals = vertex_normals(template.v_template.astype(float), template.faces)
    return 1000 * np.einsum("vdm,vd->vm", space.directions, normals)


def _overlay(
    kind: str,
    group: str,
    base: str,
    maps: dict[str, np.ndarray],
    resamples: int,
    level: float,
    rng: np.random.Generator,
) -> Overlay:
    of_group, of_base = maps[group], maps[base]
    zero, one = np.zeros(of_group.shape[1]), np.ones(of_group.shape[1])
    difference, low, high, effect, p, p_fwe, q = zero, zero, zero, zero, one, one, one
    if group != base:
        difference = of_group.mean(0) - of_base.mean(0)
        low, high = _interval(of_group, of_base, resamples, level, rng)
        effect = _hedges(of_group, of_base)
        p = np.nan_to_num(stats.ttest_ind(of_group, of_base, equal_var=False).pvalue, nan=1.0)
        p_fwe, q = np.minimum(1, len(p) * p), stats.false_discovery_control(p)
    arrays = {
        "mean_mm": of_group.mean(0), "sd_mm": of_group.std(0, ddof=1) if len(of_group) > 1 else zero,
        "difference_mm": difference, "low_mm": low, "high_mm": high, "effect": effect, "p": p, "p_fwe": p_fwe, "q": q,
    }  # fmt: skip
    arrays = {name: array.astype(np.float32) for name, array in arrays.items()}
    return Overlay(kind, group, base, len(of_group), len(of_base), level, **arrays)


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
