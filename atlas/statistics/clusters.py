"""Clusters: connected vertices that differ in one direction, as rows that can be read.

Where `p_fwe` is below 0.05 every set of connected vertices is a cluster. Where it is nowhere, the largest set of
vertices with p of 0.05 or less, each by itself, is given, so that the file shows what there was; its `p_fwe` says that
it is none. A cluster is named by the place of its largest difference; its p values are the smallest in it. Its mean
difference, interval and d look at vertices that were picked for being different: they are too large. And that a
cluster is significant does not prove its boundary.
"""

import numpy as np

from atlas.statistics.comparison import hedges
from atlas.statistics.contrast import Contrast
from atlas.statistics.design import Design
from atlas.statistics.effect import Effect
from atlas.statistics.interval import effect_interval
from atlas.statistics.maps import MapDifference
from atlas.statistics.permutation import fit, model
from atlas.statistics.places import Places
from atlas.statistics.tfce import Surface
from reconstruction.template import Template

ALPHA = 0.05
UNIT = "mm"


def vertex_clusters(
    found: MapDifference,
    maps: np.ndarray,
    design: Design,
    contrast: Contrast,
    kind: str,
    template: Template,
    surface: Surface,
    places: Places,
    rng: np.random.Generator,
    resamples: int,
    level: float,
) -> list[Effect]:
    """Rows of one contrast and kind of map, by falling area; at least one.

    maps : (P, V) what was compared, of all people the design was made of
    """
    face = surface.vertices
    p, p_fwe, difference = found.p[face], found.p_fwe[face], found.difference[face]
    significant = p_fwe < ALPHA
    wanted = significant if significant.any() else p <= max(ALPHA, float(p.min()))
    parts = [part for sign in (1, -1) for part in surface.components(wanted & (sign * difference > 0))]
    parts.sort(key=lambda part: -surface.area[part].sum())
    if not significant.any():
        parts = parts[:1]
    if not parts:
        return []
    means = np.stack([np.average(maps[design.kept][:, face[part]], 1, surface.area[part]) for part in parts], 1)
    of = model(design.tested, design.nuisance)
    fitted = fit(of, means)
    low, high = effect_interval(means, design.tested, design.nuisance, design.tested, rng, resamples, level)
    g = hedges(fitted.effect, fitted.sd, of.freedom)
    rows = []
    for i, part in enumerate(parts):
        peak = part[np.abs(difference[part]).argmax()]
        place = places.at(template.v_template[face[peak]])
        area = surface.area[part].sum() / 100
        rows.append(
            Effect(
                level="vertex-cluster",
                name=f"{kind}: {place} ({area:.1f} cm², peak {_signed(difference[peak])} {UNIT})",
                contrast=contrast.label,
                n_a=found.first,
                n_b=found.second,
                effect=float(fitted.effect[i]),
                unit=UNIT,
                low=float(low[i]),
                high=float(high[i]),
                d=float(g[i]),
                p=float(p[part].min()),
                p_fwe=float(p_fwe[part].min()),
                q_fdr=float(found.q[face[part]].min()),
                reliability=float("nan"),
            )
        )
    return rows


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "\N{MINUS SIGN}")
