"""Morph targets of a head: its expressions by name, what its jaw and eyes do, and what leads to another group's face.

Weight 1 of a named expression is its full intensity, or one standard deviation where the template's are not bounded. A
rotation is a straight way here: weight 1 is the head turned by the full angle, exactly; half of it cuts the corner, by
1.5 mm at most where the jaw is half open and 0.7 mm where an eye looks half aside. Names are ARKit's where it has one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from atlas.biomarkers import ACTION_UNITS
from atlas.biomarkers.action_units import GAZE_FULL, JAW_WIDE, sided
from atlas.export.gltf import Clip, Morph
from atlas.motion import MotionSpace
from atlas.standard_faces import StandardFace
from reconstruction.face_model import FaceModel
from reconstruction.template import Template

TEACHING = ("AU12", "AU04", "AU01", "AU15", "AU06", "AU45")  # shown first: what is said to differ in depression
AT_REST = "without expression"
JAW_ASIDE = 0.1  # radians, about as far as a jaw swings
_EYES = (("left_eye", "Left", 1), ("right_eye", "Right", -1))


@dataclass(frozen=True)
class Turn:
    """A rotation as a morph target: the joint, the axis of its axis-angle and the angle, radians, of weight 1."""

    name: str
    joint: str
    axis: int
    full: float


TURNS = (
    Turn("jawOpen", "jaw", 0, JAW_WIDE),
    Turn("jawLeft", "jaw", 1, JAW_ASIDE),
    Turn("jawRight", "jaw", 1, -JAW_ASIDE),
    *(Turn(f"eyeLookDown{side}", joint, 0, GAZE_FULL) for joint, side, _ in _EYES),
    *(Turn(f"eyeLookUp{side}", joint, 0, -GAZE_FULL) for joint, side, _ in _EYES),
    *(Turn(f"eyeLookOut{side}", joint, 1, out * GAZE_FULL) for joint, side, out in _EYES),
    *(Turn(f"eyeLookIn{side}", joint, 1, -out * GAZE_FULL) for joint, side, out in _EYES),
)


def named_morphs(template: Template, shape: np.ndarray) -> list[Morph]:
    """Every expression of the template, then its `TURNS`, on the head of `shape` (S,)."""
    turns = [turn for turn in TURNS if turn.joint in template.joint_names]
    pose = np.zeros((1 + len(turns), template.n_joints, 3), np.float32)
    for number, turn in enumerate(turns, 1):
        pose[number, template.joint(turn.joint), turn.axis] = turn.full
    with torch.no_grad():
        identity = torch.from_numpy(np.asarray(shape, np.float32))[None]
        turned = FaceModel(template)(identity, torch.zeros(len(pose), template.n_expression), torch.from_numpy(pose))
    shapes = [Morph(name, template.expressiondirs[:, :, i]) for i, name in enumerate(template.expression_names)]
    return shapes + [
        Morph(turn.name, deltas) for turn, deltas in zip(turns, (turned[1:] - turned[:1]).numpy(), strict=True)
    ]


def teaching_morphs(template: Template) -> list[Morph]:
    """The action units of `TEACHING` that the template can show, both sides together."""
    out = []
    for code in TEACHING:
        unit = ACTION_UNITS[code]
        columns = [i for name in unit.expressions for i in sided(name, template.expression_names)]
        if columns:
            out.append(Morph(f"{code} {unit.name}", template.expressiondirs[:, :, columns].sum(2)))
    return out


def difference_morphs(
    face: StandardFace, others: Mapping[str, StandardFace], template: Template, space: MotionSpace
) -> list[Morph]:
    """For every other group what leads from this group's face to the other's: expression alone, then identity alone.

    Expression is changed on this group's identity; identity is the difference of the two neutral faces. With both at
    weight 1 the face is the other group's, but for how a turned jaw depends on identity, under a tenth of a millimetre.
    """
    own, out = face.expressive(template, space), []
    for group, other in others.items():
        worn = other.expressive(template, space, shape=face.shape)
        out.append(Morph(f"towards {group}, expression", worn - own))
        out.append(Morph(f"towards {group}, identity", other.neutral(template) - face.neutral(template)))
    return out


def motion_weights(motion: np.ndarray, morphs: Sequence[Morph], space: MotionSpace) -> np.ndarray:
    """(T, K) weights of `morphs` that show the motion (T, M) on a head without expression; what none of them shows,
    rotations about the third axis, is left out.
    """
    motion = np.asarray(motion, float)
    columns = {name: motion[:, i] for i, name in enumerate(space.names[: space.n_expression])}
    for turn in TURNS:
        if turn.joint in space.joint_names:
            angle = motion[:, space.names.index(f"{turn.joint} {'xyz'[turn.axis]}")]
            columns[turn.name] = np.maximum(angle / turn.full, 0)
    if "jawOpen" in columns:  # a jaw that closes beyond rest has no shape of its own
        columns["jawOpen"] = motion[:, space.names.index("jaw x")] / JAW_WIDE
    zero = np.zeros(len(motion))
    return np.column_stack([columns.get(morph.name, zero) for morph in morphs])


def exaggeration(deltas: np.ndarray, seen: np.ndarray, visible_mm: float = 4.0) -> int:
    """A factor of 1, 2, 5, 10 or 20 that makes a difference visible: the largest that moves no vertex of `seen` (V,)
    bool farther than `visible_mm`; say it wherever it is not 1.
    """
    most = 1000 * float(np.linalg.norm(deltas[seen], axis=1).max())
    return max((factor for factor in (1, 2, 5, 10, 20) if factor * most <= visible_mm), default=1)


def there_and_back(name: str, morphs: Sequence[Morph], number: int, factor: float, note: Mapping[str, object]) -> Clip:
    """A clip of 4 s in which one morph target grows to `factor`, rests and goes back."""
    weights = np.zeros((4, len(morphs)))
    weights[1:3, number] = factor
    return Clip(name, np.array([0.0, 1.5, 2.5, 4.0]), weights, note)
