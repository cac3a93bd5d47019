"""What the viewer's page holds: heads, motion, overlays, places, effects, and the sentences on them, as one document.

Groups are known by their number, the reference group first; arrays are packed as in `packing`. Lengths are metres for
heads and mm for overlays.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from matplotlib import colormaps

from atlas.atlas import Atlas
from atlas.biomarkers.quantity import Quantity
from atlas.biomarkers.table import BiomarkerTable
from atlas.figures.colours import DIFFERENCE_MAP, SPREAD_MAP, symmetric_limit, upper_limit
from atlas.motion import MotionSpace, face_mask
from atlas.overlay import KINDS, MOTION, OUTWARD, Overlay
from atlas.statistics import Effect
from atlas.viewer.anatomy import Anatomy, anatomy
from atlas.viewer.packing import MotionBasis, motion_basis, shares, signed, whole
from atlas.viewer.wording import SURE, headline, strongest, surest, tested
from reconstruction.sequence import STATEMENT
from reconstruction.template import Template

VERSION = 1
ORDER = ("HC", "MDD", "BD")  # of groups with the names of the field; others follow by name
POINT = "place"  # the set of places that is always there
SET_LABELS = {"organ": "organs", "emoface16": "16 regions", "muscle": "muscles", "keypoint": "key points"}
RELIABILITY_MAP = "cividis"
LONGEST = 900  # moments of a trajectory; a longer one is thinned out
Places = Mapping[str, Mapping[str, np.ndarray]]


class Trajectory(Protocol):
    """A group's average motion over the time of a stimulus: `time_s` (T,), `motion` (T, M)."""

    @property
    def time_s(self) -> np.ndarray: ...
    @property
    def motion(self) -> np.ndarray: ...


Trajectories = Mapping[str, Mapping[str, Trajectory]]


def scene(
    atlas: Atlas,
    template: Template,
    space: MotionSpace,
    effects: Sequence[Effect],
    places: Places | None = None,
    trajectories: Trajectories | None = None,
    table: BiomarkerTable | None = None,
    reliability: np.ndarray | None = None,
) -> dict[str, Any]:
    """The document, ready for JSON; see `atlas.viewer.page.write_viewer` for the arguments."""
    groups = ordered(atlas.groups, atlas.reference)
    face = face_mask(template)
    words = anatomy(template, face)
    labels = {POINT: (words.names, words.label), **{s: _labels(p) for s, p in (places or {}).items() if p}}
    quantities = {quantity.name: quantity for quantity in table.quantities} if table else {}
    called = {_place(quantity, labels): quantity.label for quantity in quantities.values()}
    rows = [_effect(effect, groups, atlas.reference, quantities.get(effect.name), labels) for effect in effects]
    if reliability is None:
        reliability = _place_reliability(rows, labels)
    courses = [
        (number, stimulus, *_thinned(course))
        for number, group in enumerate(groups)
        for stimulus, course in (trajectories or {}).get(group, {}).items()
        if len(course.time_s) > 1
    ]
    faces = [face_ for group in groups for face_ in atlas.standard_faces[group].values()]
    basis = motion_basis(space.directions, [*(f.motion for f in faces), *(motion for _, _, _, motion in courses)])
    return {
        "version": VERSION,
        "statement": STATEMENT,
        "simulated": atlas.simulated,
        "groups": [
            _group(atlas, group, template, basis)
            | {"surest": surest(effects, group, atlas.reference, {q.name: q.label for q in quantities.values()})}
            for group in groups
        ],
        "stimuli": list(atlas.stimuli),
        "mesh": {
            "faces": whole(template.faces),
            "colours": whole(template.colours),
            "skin": whole(template.skin),
            "face": whole(face),
        },
        "directions": [signed(direction) for direction in basis.directions],
        "trajectories": [
            {"group": group, "stimulus": stimulus, "seconds": _values(seconds),
             "values": signed(motion @ basis.of_motion.T)}
            for group, stimulus, seconds, motion in courses
        ],
        "overlays": _overlays(atlas, groups, template, face, words, reliability),
        "first": _first(atlas, groups, face),
        "maps": {name: _map(name) for name in (DIFFERENCE_MAP, SPREAD_MAP, RELIABILITY_MAP)},
        "places": [
            {"set": name, "label": "places" if name == POINT else SET_LABELS.get(name, name),
             "names": [f"{p}: {called[name, i]}" if called.get((name, i), p) != p else p for i, p in enumerate(names)],
             "of": whole(of + 1)}
            for name, (names, of) in labels.items()
        ],
        "effects": rows,
        "means": _means(table, groups),
        "sure": SURE,
        "template": {"name": template.name, "licence": template.licence},
    }  # fmt: skip


def ordered(groups: Sequence[str], reference: str) -> list[str]:
    """The reference group first, then those of `ORDER`, then by name."""
    rank = {name: number for number, name in enumerate(ORDER)}
    return sorted(groups, key=lambda group: (group != reference, rank.get(group, len(ORDER)), group))


def _group(atlas: Atlas, group: str, template: Template, basis: MotionBasis) -> dict[str, Any]:
    faces = atlas.standard_faces[group]
    whole_face = faces[None]
    return {
        "name": group,
        "people": whole_face.people,
        "frames": whole_face.frames,
        "neutral": signed(whole_face.neutral(template)),
        "motions": [
            {"stimulus": stimulus, "people": face.people, "values": _values(basis.of_motion @ face.motion)}
            for stimulus, face in faces.items()
        ],
    }


def _thinned(course: Trajectory) -> tuple[np.ndarray, np.ndarray]:
    """Seconds from the start (K,) and motion (K, M) at `LONGEST` moments at most."""
    keep = np.unique(np.linspace(0, len(course.time_s) - 1, LONGEST).round().astype(int))
    return np.asarray(course.time_s, float)[keep] - course.time_s[0], np.asarray(course.motion, float)[keep]


def _overlays(
    atlas: Atlas,
    groups: list[str],
    template: Template,
    face: np.ndarray,
    words: Anatomy,
    reliability: np.ndarray | None,
) -> list[dict[str, Any]]:
    out: list[dict[str, Any]] = []
    for kind in KINDS:
        of_group = [atlas.overlays[group][kind] for group in groups]
        out.append(
            {
                "name": kind,
                "map": DIFFERENCE_MAP,
                "signed": True,
                "limit": symmetric_limit(overlay.difference_mm[face] for overlay in of_group[1:]),
                "unit": "mm",
                "groups": [_overlay(overlay, words) for overlay in of_group],
            }
        )
    spreads = [atlas.standard_faces[group][None].motion_spread_mm for group in groups]
    out.append(
        {
            "name": "spread",
            "map": SPREAD_MAP,
            "signed": False,
            "limit": upper_limit(spread[face] for spread in spreads),
            "unit": "mm",
            "groups": [{"value": signed(spread)} for spread in spreads],
        }
    )
    if reliability is not None:
        known = np.nan_to_num(reliability, nan=0.0)
        shown = {"value": signed(known), "known": whole(np.isfinite(reliability))}
        out.append(
            {"name": "reliability", "map": RELIABILITY_MAP, "signed": False, "limit": 1.0, "unit": "", "all": shown}
        )
    return out


def _overlay(overlay: Overlay, words: Anatomy) -> dict[str, Any]:
    mean = {"mean": signed(overlay.mean_mm), "sd": signed(overlay.sd_mm)}
    if overlay.group == overlay.reference:
        return mean
    return mean | {
        "value": signed(overlay.difference_mm),
        "low": signed(overlay.low_mm),
        "high": signed(overlay.high_mm),
        "d": signed(overlay.effect),
        "p": shares(overlay.p),
        "p_fwe": shares(overlay.p_fwe),
        "q": shares(overlay.q),
        "people": [overlay.people, overlay.reference_people],
        "tested": tested(overlay),
        "headline": headline(overlay, words),
    }


def _first(atlas: Atlas, groups: list[str], face: np.ndarray) -> dict[str, Any]:
    """The overlay and the group that are shown first: those of the largest difference beyond chance, or the surest."""
    best: tuple[tuple[float, float], dict[str, Any]] | None = None
    for kind in (MOTION, OUTWARD):
        for number, group in enumerate(groups[1:], 1):
            overlay = atlas.overlays[group][kind]
            peak = strongest(overlay, face)
            order = (max(float(overlay.p_fwe[peak]), SURE), -abs(float(overlay.difference_mm[peak])))
            if best is None or order < best[0]:
                best = order, {"overlay": kind, "group": number}
    return best[1] if best else {"overlay": "spread", "group": 0}


def _effect(
    effect: Effect,
    groups: list[str],
    reference: str,
    quantity: Quantity | None,
    labels: Mapping[str, tuple[tuple[str, ...], np.ndarray]],
) -> dict[str, Any]:
    """A row of ``statistics.tsv`` with what it is about: the group compared, words for it, its place on the face."""
    contrasts = {f"{group}-{reference}": number for number, group in enumerate(groups)}
    place_set, place = _place(quantity, labels)
    numbers = {
        name: _finite(getattr(effect, name))
        for name in ("effect", "low", "high", "d", "p", "p_fwe", "q_fdr", "reliability")
    }
    return {
        "level": effect.level,
        "name": effect.name,
        "label": quantity.label if quantity else effect.name,
        "unit": effect.unit,
        "contrast": effect.contrast,
        "group": contrasts.get(effect.contrast),
        "people": [effect.n_a, effect.n_b],
        "set": place_set,
        "place": place,
        **numbers,
    }


def _place(
    quantity: Quantity | None, labels: Mapping[str, tuple[tuple[str, ...], np.ndarray]]
) -> tuple[str | None, int | None]:
    """The set of places and the place in it that a quantity describes."""
    if quantity is None:
        return None, None
    for name, (names, _) in labels.items():
        if quantity.family.startswith(f"{name}_") and quantity.place in names:
            return name, names.index(quantity.place)
    return None, None


def _labels(of_place: Mapping[str, np.ndarray]) -> tuple[tuple[str, ...], np.ndarray]:
    """Names, and for every vertex (V,) the place with the largest weight there, -1 where all are zero."""
    weights = np.stack([np.asarray(weight, float) for weight in of_place.values()])
    return tuple(of_place), np.where(weights.max(0) > 0, weights.argmax(0), -1)


def _place_reliability(
    rows: Sequence[Mapping[str, Any]], labels: Mapping[str, tuple[tuple[str, ...], np.ndarray]]
) -> np.ndarray | None:
    """(V,) of the set of places that most rows with a known reliability name: the lowest of a place, NaN elsewhere."""
    known = [row for row in rows if row["set"] is not None and row["reliability"] is not None]
    if not known:
        return None
    sets = [row["set"] for row in known]
    name = max(sorted(set(sets)), key=sets.count)
    names, of = labels[name]
    lowest = np.full(len(names) + 1, np.nan)  # the last is for vertices without a place
    for row in known:
        if row["set"] == name:
            lowest[row["place"]] = np.fmin(lowest[row["place"]], row["reliability"])
    return lowest[of]


def _means(table: BiomarkerTable | None, groups: list[str]) -> dict[str, list[float | None]]:
    """{quantity: mean over the people of every group}."""
    if table is None:
        return {}
    values, of = table.values, np.asarray(table.groups)
    out: dict[str, list[float | None]] = {}
    for number, name in enumerate(table.names):
        known = np.isfinite(values[:, number])
        members = [values[known & (of == group), number] for group in groups]
        out[name] = [_finite(float(m.mean())) if len(m) else None for m in members]
    return out


def _map(name: str) -> dict[str, Any]:
    """256 colours, sRGB."""
    return whole((255 * colormaps[name](np.linspace(0, 1, 256))[:, :3]).round().astype(int))


def _values(values: np.ndarray) -> list[float]:
    return [float(f"{value:.6g}") for value in values]


def _finite(value: float) -> float | None:
    return float(f"{value:.6g}") if np.isfinite(value) else None
