"""Biomarker overlays: what every vertex does in a group and how that differs from the reference group, in mm.

Two kinds. `MOTION`: how far a vertex moves, the root mean squared displacement about its mean position within
recordings (the recordings' variances are averaged with equal weight for each stimulus; differences between stimuli do
not count). Displacement, not speed, because it does not depend on the frame rate. `OUTWARD`: where it lies on average,
the mean expression's displacement along the outward normal of the template's mean head, against the face without
expression. Identity, head pose and neck are removed. Both are computed from the motion coefficients' mean and
covariance, never from vertices over time. The fit's own noise is part of the motion, for every group alike.

People are the unit: group values are means of people's maps, intervals come from resampling people. Differences are
adjusted for covariates where these are known; their p values are by permutation of people (`atlas.statistics.maps`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from atlas.aggregation import AggregatedFace
from atlas.motion import MotionSpace
from atlas.statistics.clusters import vertex_clusters
from atlas.statistics.comparison import PERMUTATIONS, Statistics
from atlas.statistics.contrast import Contrast, contrasts, stream
from atlas.statistics.design import choose_covariates, make_design
from atlas.statistics.effect import Effect
from atlas.statistics.interval import LEVEL, RESAMPLES
from atlas.statistics.maps import MapDifference, compare_maps
from atlas.statistics.people import People
from atlas.statistics.permutation import orders
from atlas.statistics.places import face_places
from atlas.statistics.tfce import face_surface
from reconstruction.errors import InputError
from reconstruction.rendering import vertex_normals
from reconstruction.template import Template

REFERENCE = "HC"
MOTION, OUTWARD = KINDS = ("motion", "outward")


@dataclass(frozen=True)
class Overlay:
    """What one group's vertices do and the difference from the reference group; arrays are (V,) float32.

    kind : one of `KINDS`
    mean_mm : mean over the group's people
    sd_mm : standard deviation over people
    difference_mm : mean minus the reference group's mean, adjusted for covariates; positive is more motion, or farther
        outward
    low_mm, high_mm : `level` interval of the difference, bootstrap over people (`atlas.statistics.interval`)
    effect : Hedges' g, the difference in residual person-level standard deviations, corrected for small groups
    p, p_fwe, q : of no difference, by permutation: each vertex by itself; corrected for their number by threshold-free
        cluster enhancement and the largest value of every permutation; by the false discovery rate (Benjamini &
        Hochberg 1995). Vertices outside the face proper (`atlas.motion.face_mask`) are not tested: 1
    people, reference_people : what means rest on; differences rest on those of them whose covariates are known
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


@dataclass(frozen=True)
class OverlaySet:
    """All overlays of a cohort.

    by_group : {group: {kind: Overlay}}, against the reference, which is one of them
    by_contrast : {``MDD-BD``: {kind: Overlay}} of every two groups, in the order of `atlas.statistics.contrasts`
    statistics : clusters of every contrast and kind as rows of ``statistics.tsv``, and warnings
    """

    by_group: dict[str, dict[str, Overlay]]
    by_contrast: dict[str, dict[str, Overlay]]
    statistics: Statistics


def overlay_set(
    people: Sequence[AggregatedFace],
    space: MotionSpace,
    template: Template,
    reference: str | None = None,
    *,
    known: People | None = None,
    covariates: Sequence[str] | None = None,
    within: str | None = None,
    permutations: int = PERMUTATIONS,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
    seed: int = 0,
) -> OverlaySet:
    """Overlays of every group and contrast; deterministic in `seed`, whatever the order of people.

    known : age, sex and so on of the people; None for nothing but their groups
    covariates, within, permutations, resamples : see `atlas.statistics.compare`

    Raises
    ------
    InputError
        The reference group is not there, or the covariates asked for cannot be used.
    """
    people = sorted(people, key=lambda person: person.id)
    groups = sorted({person.group for person in people})
    base = reference_group(groups, reference)
    ids, labels = [p.id for p in people], [p.group for p in people]
    about = (known or People((), ())).about(ids, labels)
    outward = outward_directions(template, space)
    maps = {
        MOTION: np.stack([space.rms_mm(p.covariance()) for p in people]).astype(np.float64),
        OUTWARD: np.stack([p.motion() for p in people]) @ outward.T,
    }
    chosen, warnings = choose_covariates(about, covariates)
    surface, places = face_surface(template), face_places(template)
    by_contrast: dict[str, dict[str, Overlay]] = {}
    rows: list[Effect] = []
    said = list(warnings)
    for contrast in contrasts(groups, base):
        design = make_design(about, contrast.tested(about), chosen, contrast.label, within)
        said += design.warnings
        shuffles = orders(len(design.kept), permutations, stream(seed, contrast.label, "permutations"), design.blocks)
        by_contrast[contrast.label] = {}
        for kind in KINDS:
            rng = stream(seed, contrast.label, kind)
            found = compare_maps(maps[kind], design, surface, shuffles, rng, resamples, level)
            by_contrast[contrast.label][kind] = _overlay(kind, contrast, maps[kind], labels, level, found)
            rows += vertex_clusters(
                found, maps[kind], design, contrast, kind, template, surface, places, rng, resamples, level
            )
    by_group = {
        group: {
            kind: _overlay(kind, Contrast(group, base), maps[kind], labels, level, None)
            if group == base
            else by_contrast[Contrast(group, base).label][kind]
            for kind in KINDS
        }
        for group in groups
    }
    statistics = Statistics(tuple(rows), chosen.names, permutations, resamples, seed, tuple(said))
    return OverlaySet(by_group, by_contrast, statistics)


def outward_directions(template: Template, space: MotionSpace) -> np.ndarray:
    """(V, M) mm along the outward normals of the template's mean head for one unit of every motion coefficient."""
    normals = vertex_normals(template.v_template.astype(float), template.faces)
    return 1000 * np.einsum("vdm,vd->vm", space.directions, normals)


def _overlay(
    kind: str,
    contrast: Contrast,
    maps: np.ndarray,
    labels: Sequence[str],
    level: float,
    found: MapDifference | None,
) -> Overlay:
    """found : None for the reference group itself"""
    groups = np.array(labels, dtype=object)
    of_group, of_base = maps[groups == contrast.first], maps[groups == contrast.second]
    zero, one = np.zeros(maps.shape[1]), np.ones(maps.shape[1])
    arrays = {
        "mean_mm": of_group.mean(0),
        "sd_mm": of_group.std(0, ddof=1) if len(of_group) > 1 else zero,
        "difference_mm": found.difference if found else zero,
        "low_mm": found.low if found else zero,
        "high_mm": found.high if found else zero,
        "effect": found.g if found else zero,
        "p": found.p if found else one,
        "p_fwe": found.p_fwe if found else one,
        "q": found.q if found else one,
    }
    as_stored = {name: array.astype(np.float32) for name, array in arrays.items()}
    return Overlay(kind, contrast.first, contrast.second, len(of_group), len(of_base), level, **as_stored)
