"""Differential privacy of a group's mean face, through OpenDP: how much noise an epsilon costs, and what it does in mm.

Every person's shape and mean motion are clipped to Euclidean norms that are constants of this module, so that nothing
about the bounds is learnt from people, and divided by them. Replacing one person then moves the mean of n by at most
2 sqrt(2) / n, and Gaussian noise is scaled to that (Dwork and Roth 2014; zero-concentrated as Bun and Steinke 2016,
converted by OpenDP). How many people a group has is taken as known.
The noise is drawn by OpenDP from the system's secure source: no seed repeats it, because who knows a seed could take it
off again.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from atlas.aggregation import AggregatedFace
from atlas.motion import MotionSpace, face_mask, rms_mm, vertex_areas
from atlas.sharing.averages import Average
from reconstruction.errors import InputError
from reconstruction.template import Template

DELTA = 1e-5
MOTION_BOUND = 1.0  # of a person's mean motion, coefficients 0 to 1 and radians; simulated people's are about 0.5


def shape_bound(components: int) -> float:
    """Norm that hardly any shape of standard normal components passes: sqrt(S) + 2."""
    return float(np.sqrt(components) + 2)


@dataclass(frozen=True)
class Noise:
    """Standard deviation of one coefficient, and root mean squared displacement over the face in mm it causes."""

    shape: float
    motion: float
    shape_mm: float
    motion_mm: float

    def to_json(self) -> dict[str, object]:
        return {
            "shape_sd": round(self.shape, 4),
            "motion_sd": round(self.motion, 4),
            "shape_mm": round(self.shape_mm, 3),
            "motion_mm": round(self.motion_mm, 3),
        }


def private_average(
    average: Average, people: dict[str, AggregatedFace], template: Template, space: MotionSpace, epsilon: float,
    delta: float = DELTA,
) -> tuple[Average, Noise]:  # fmt: skip
    """The average over all stimuli with clipped people and noise; everything else of it is gone."""
    members = [people[name] for name in sorted(average.members)]
    bounds = shape_bound(template.n_shape), MOTION_BOUND
    parts = []
    for rows, bound in zip(([p.shape for p in members], [p.motion() for p in members]), bounds, strict=True):
        norm = np.linalg.norm(rows, axis=1, keepdims=True)
        parts.append(np.stack(rows) / np.maximum(norm, bound))  # of norm 1 at most
    mean, scale = gaussian(np.concatenate(parts, 1).mean(0), 2 * np.sqrt(2) / len(members), epsilon, delta)
    shape, motion = np.split(mean, [template.n_shape])
    unknown = {
        name: np.full_like(getattr(average, name), np.nan)
        for name in ("shape_sd", "motion_sd", "biomarkers", "biomarkers_sd")
    }
    made = replace(average, shape=bounds[0] * shape, motion=bounds[1] * motion, **unknown)
    return made, noise_of(bounds[0] * scale, bounds[1] * scale, template, space)


def noise_of(shape: float, motion: float, template: Template, space: MotionSpace) -> Noise:
    """Independent noise of these standard deviations on every coefficient, and what it does to the face."""
    area = vertex_areas(template.v_template, template.faces) * face_mask(template)
    moved = rms_mm(template.shapedirs, shape**2 * np.eye(template.n_shape))
    shape_mm = float(np.sqrt(np.average(moved.astype(np.float64) ** 2, weights=area)))
    return Noise(shape, motion, shape_mm, float(motion * np.sqrt(np.trace(space.metric))))


def gaussian(mean: np.ndarray, sensitivity: float, epsilon: float, delta: float) -> tuple[np.ndarray, float]:
    """`mean` with Gaussian noise that makes it (epsilon, delta)-private for this Euclidean sensitivity, and its
    standard deviation.
    """
    dp: Any = _opendp()
    space = dp.vector_domain(dp.atom_domain(T=float, nan=False), size=len(mean)), dp.l2_distance(T=float)

    def private(scale: float) -> Any:
        return dp.c.make_fix_delta(dp.c.make_zCDP_to_approxDP(dp.m.make_gaussian(*space, scale=scale)), delta=delta)

    scale = float(dp.binary_search_param(private, d_in=sensitivity, d_out=(epsilon, delta), T=float))
    return np.array(private(scale)([float(x) for x in mean])), scale


def _opendp() -> Any:
    try:
        import opendp.prelude as dp
    except ImportError as error:
        raise InputError(
            "expected the package opendp for --epsilon, but it is not installed; "
            "pip install 'digital-face-atlas[share]'."
        ) from error
    dp.enable_features("contrib")
    return dp
