"""What the viewer's tests show beside an atlas of simulated people: biomarkers, effects, places, trajectories."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from atlas.aggregation import AggregatedFace
from atlas.atlas import Atlas
from atlas.biomarkers.quantity import Quantity
from atlas.biomarkers.table import BiomarkerTable
from atlas.motion import MotionSpace
from atlas.overlay import Overlay
from atlas.simulation import simulate_people, simulate_recording
from atlas.statistics import Effect
from reconstruction.template import Template

HOSTILE = {"HC": "</script><script>hacked=1</script>", "MDD": "\"'&<b>", "BD": "__proto__"}
SHARE = Quantity("grid_1_share", "region", "%", "right half", "", "", "grid_2_share", "1", "grid_share")


@dataclass(frozen=True)
class Course:
    time_s: np.ndarray
    motion: np.ndarray


def extras(atlas: Atlas, people: list[AggregatedFace], template: Template, space: MotionSpace) -> dict[str, Any]:
    """Arguments of `write_viewer` beside the atlas: places, trajectories, a table, reliability; and effects."""
    right = template.v_template[:, 0] < 0
    course = simulate_recording(simulate_people(3, seed=1, template=template)[0], "happiness", 4, 10, 1, template)
    moved = Course(course.time_s, space.vectors(course))
    values = np.array([[[50.0 + i]] for i in range(len(people))])
    return {
        "places": {"grid": {"1": right.astype(float), "2": (~right).astype(float)}},
        "trajectories": {group: {"happiness": moved} for group in atlas.groups},
        "table": BiomarkerTable(
            (SHARE,), tuple(p.id for p in people), tuple(p.group for p in people), ("all",), values
        ),
        "reliability": np.where(template.skin, 0.8, np.nan),
    }


def effect(name: str = "grid_1_share", contrast: str = "MDD-HC", **numbers: float) -> Effect:
    known = {"effect": -3.2, "low": -5.0, "high": -1.4, "d": -0.9, "p": 0.001, "p_fwe": 0.004, "q_fdr": 0.003,
             "reliability": 0.76} | numbers  # fmt: skip
    return Effect("region", name, contrast, 4, 4, unit="%", **known)


def planted(overlay: Overlay, where: np.ndarray, mm: float) -> Overlay:
    """`overlay` with one sure difference of `mm` where `where` (V,) holds, and none anywhere else."""
    value = np.where(where, mm, 0).astype(np.float32)
    p = np.where(where, 0.003, 0.9).astype(np.float32)
    low, high = (value + np.where(where, half, 0).astype(np.float32) for half in (-0.4, 0.4))
    return replace(overlay, difference_mm=value, low_mm=low, high_mm=high, p=p, p_fwe=p, q=p)


def renamed(atlas: Atlas, names: dict[str, str]) -> Atlas:
    """The atlas with its groups called otherwise."""
    faces = {
        names[group]: {s: replace(face, group=names[group]) for s, face in of_group.items()}
        for group, of_group in atlas.standard_faces.items()
    }
    overlays = {
        names[group]: {
            kind: replace(o, group=names[group], reference=names[o.reference]) for kind, o in of_group.items()
        }
        for group, of_group in atlas.overlays.items()
    }
    groups = tuple(names[group] for group in atlas.groups)
    return replace(atlas, groups=groups, reference=names[atlas.reference], standard_faces=faces, overlays=overlays)
