"""Comparison of maps on the mesh: adjusted difference at every vertex, its interval, and how sure it is.

The model and its permutations are those of `atlas.statistics.comparison`; `p_fwe` is that of the enhanced map
(`atlas.statistics.tfce`) among the largest enhanced value of every permutation, single step. Only vertices of the face
proper are tested: elsewhere every p is 1.
"""

from dataclasses import dataclass

import numpy as np
from scipy.stats import false_discovery_control

from atlas.statistics.comparison import hedges
from atlas.statistics.design import Design
from atlas.statistics.interval import effect_interval
from atlas.statistics.permutation import ROUNDING, Model, fit, model, shuffled_t
from atlas.statistics.tfce import Surface, tfce

AT_A_TIME = 64  # permutations


@dataclass(frozen=True)
class MapDifference:
    """The first group minus the second; arrays are (V,) float64.

    first, second : people of each
    difference, low, high : in the map's unit, adjusted for the covariates, with the bootstrap interval
    g : Hedges' g of adjusted values
    p, p_fwe, q : see `atlas.overlay.Overlay`
    """

    first: int
    second: int
    difference: np.ndarray
    low: np.ndarray
    high: np.ndarray
    g: np.ndarray
    p: np.ndarray
    p_fwe: np.ndarray
    q: np.ndarray


def compare_maps(
    maps: np.ndarray,
    design: Design,
    surface: Surface,
    shuffles: np.ndarray,
    rng: np.random.Generator,
    resamples: int,
    level: float,
) -> MapDifference:
    """Maps (P, V) of all people the design was made of; `shuffles` (N, n) of those it kept; `rng` draws the bootstrap."""
    y = np.asarray(maps[design.kept], np.float64)
    of = model(design.tested, design.nuisance)
    fitted = fit(of, y)
    low, high = effect_interval(y, design.tested, design.nuisance, design.tested, rng, resamples, level)
    p, p_fwe, q = np.ones(y.shape[1]), np.ones(y.shape[1]), np.ones(y.shape[1])
    face = surface.vertices
    p[face], p_fwe[face] = map_p_values(of, fitted.residuals[:, face], fitted.t[face], surface, shuffles)
    q[face] = false_discovery_control(p[face])
    return MapDifference(
        first=int((design.tested == 1).sum()),
        second=int((design.tested == 0).sum()),
        difference=fitted.effect,
        low=low,
        high=high,
        g=hedges(fitted.effect, fitted.sd, of.freedom),
        p=p,
        p_fwe=p_fwe,
        q=q,
    )


def map_p_values(
    of: Model, residuals: np.ndarray, t: np.ndarray, surface: Surface, shuffles: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(F,) p of every vertex by itself, and corrected: residuals (n, F) and t (F,) of `fit`, on the surface alone."""
    enhanced = np.abs(tfce(t[None], surface)[0])
    alone, corrected = np.ones(len(t)), np.ones(len(t))
    for start in range(0, len(shuffles), AT_A_TIME):
        shuffled = shuffled_t(of, residuals, shuffles[start : start + AT_A_TIME])
        alone += (np.abs(shuffled) >= np.abs(t) * (1 - ROUNDING)).sum(0)
        largest = np.abs(tfce(shuffled, surface)).max(1)
        corrected += (largest[:, None] >= enhanced * (1 - ROUNDING)).sum(0)
    return alone / (1 + len(shuffles)), corrected / (1 + len(shuffles))
