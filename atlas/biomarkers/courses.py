"""What a recording shows over time, whichever tool measured it: the courses that movement measures are computed from.

Parameters of this project give all of them (`parameter_courses`), other tools' tables some (`tool_table`). The same
code then measures both, so that a quantity of one name means one thing.
"""

from dataclasses import dataclass, field

import numpy as np

from atlas.biomarkers.action_units import action_units
from atlas.biomarkers.mirror import even_shapes, even_vertices, landmark_weights
from reconstruction.camera import rotation_from_axis_angle
from reconstruction.sequence import FaceSequence
from reconstruction.template import Template

PRESENT = 1.0  # intensity, 0 to 5, from which a unit counts as present: FACS's A, a trace (Ekman and Friesen 1978)


@dataclass(frozen=True)
class Courses:
    """T frames; what is not known is None. Values of frames that are not valid do not count.

    time_s : (T,) seconds; frame_rate : frames per second, NaN where no time is known
    valid : (T,) bool
    units : {code: (T,) intensity 0 to 5}; present : {code: (T,) bool}
    points : (T, 68, D) the key points; in_mm : D is 3, mm, head pose taken out; else D is 2, pixels
    gaze : (T, eyes, 3) unit vectors in a frame that stands with the camera
    head_mm : (T, 3) mm, the head's place in the camera frame; bridge_mm : (T, 3) the bridge of the nose there
    """

    time_s: np.ndarray
    frame_rate: float
    valid: np.ndarray
    units: dict[str, np.ndarray] = field(default_factory=dict)
    present: dict[str, np.ndarray] = field(default_factory=dict)
    points: np.ndarray | None = None
    in_mm: bool = True
    gaze: np.ndarray | None = None
    head_mm: np.ndarray | None = None
    bridge_mm: np.ndarray | None = None


@dataclass(frozen=True)
class LandmarkModel:
    """The key points as a linear function of a person's shape and motion, alike on both sides.

    The jaw's rotation is linear too: at 0.35 rad, a wide open mouth, the chin is 2 % off.

    mean : (68, 3), by_shape : (68, 3, S), by_motion : (68, 3, M); mm, head frame
    """

    mean: np.ndarray
    by_shape: np.ndarray
    by_motion: np.ndarray

    def neutral(self, shape: np.ndarray) -> np.ndarray:
        """(68, 3) mm for shape (S,)."""
        return self.mean + self.by_shape @ shape.astype(np.float64)

    def course(self, shape: np.ndarray, motion: np.ndarray) -> np.ndarray:
        """(T, 68, 3) mm for shape (S,) and motion (T, M)."""
        moved = motion @ self.by_motion.reshape(-1, motion.shape[1]).T
        return self.neutral(shape) + moved.reshape(len(motion), 68, 3)


def landmark_model(template: Template, directions: np.ndarray) -> LandmarkModel:
    """The model of a template; directions : (68, 3, M) metres, of `motion_energy.landmark_directions`."""
    rows = 1000 * landmark_weights(template)
    by_shape = (rows @ even_shapes(template).reshape(rows.shape[1], -1)).reshape(68, 3, -1)
    return LandmarkModel(rows @ even_vertices(template), by_shape, 1000 * directions)


def parameter_courses(sequence: FaceSequence, motion: np.ndarray, model: LandmarkModel) -> Courses:
    """Courses of a sequence whose motion (T, M) is given."""
    units = action_units(sequence)
    head = rotation_from_axis_angle(sequence.pose[:, 0])
    neck = _turned(sequence, head, "neck")
    eyes = [name for name in ("left_eye", "right_eye") if name in sequence.joint_names]
    place = 1000.0 * sequence.translation.astype(np.float64)
    bridge = head @ model.neutral(sequence.shape)[27] * [1, -1, -1] + place
    return Courses(
        time_s=sequence.time_s,
        frame_rate=sequence.frame_rate,
        valid=sequence.valid,
        units=units,
        present={code: intensity >= PRESENT for code, intensity in units.items()},
        points=model.course(sequence.shape, motion),
        gaze=np.stack([_turned(sequence, neck, name)[..., 2] for name in eyes], 1) if eyes else None,
        head_mm=place,
        bridge_mm=bridge,
    )


def _turned(sequence: FaceSequence, parent: np.ndarray, joint: str) -> np.ndarray:
    """(T, 3, 3) rotation of a joint whose parent's is given; the parent's where there is no such joint."""
    if joint not in sequence.joint_names:
        return parent
    return parent @ rotation_from_axis_angle(sequence.pose[:, sequence.joint_names.index(joint)])
