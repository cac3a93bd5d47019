"""OpenFace's CSV, written in the 714 columns of its 2.2, and read as parameters.

Written from a face sequence are the frame, gaze, head pose, the iBUG 68 in pixels and in mm, and action units; frames
that are not valid are written as OpenFace writes them, 0 throughout and no success. OpenFace's own landmarks of the
eyes and the parameters of its point distribution model are nothing that a face sequence has: NaN, so that nobody takes
them for a measurement; and so are units that the template has no shape for. Numbers have more digits than OpenFace
prints, so that speeds stay what they are.
"""

import io
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.spatial.transform import Rotation

from atlas.biomarkers.action_units import ACTION_UNITS, FULL, action_units, sided
from atlas.biomarkers.courses import PRESENT
from atlas.biomarkers.tool_table import OPENFACE, ToolTable, read_tool_table
from reconstruction.camera import FACING, project, rotation_from_axis_angle
from reconstruction.errors import InputError
from reconstruction.sequence import FaceSequence
from reconstruction.storage import write_atomically
from reconstruction.template import Template

UNITS = ("01", "02", "04", "05", "06", "07", "09", "10", "12", "14", "15", "17", "20", "23", "25", "26", "45")
PRESENT_UNITS = (*UNITS[:-1], "28", "45")
EYE_POINTS, POINTS, MODES = 56, 68, 34
COLUMNS: tuple[str, ...] = (
    *("frame", "face_id", "timestamp", "confidence", "success"),
    *(f"gaze_{eye}_{axis}" for eye in "01" for axis in "xyz"),
    *("gaze_angle_x", "gaze_angle_y"),
    *(f"eye_lmk_{axis}_{i}" for axis in "xyXYZ" for i in range(EYE_POINTS)),
    *(f"pose_{kind}{axis}" for kind in "TR" for axis in "xyz"),
    *(f"{axis}_{i}" for axis in "xyXYZ" for i in range(POINTS)),
    *("p_scale", "p_rx", "p_ry", "p_rz", "p_tx", "p_ty", *(f"p_{i}" for i in range(MODES))),
    *(f"AU{unit}_r" for unit in UNITS),
    *(f"AU{unit}_c" for unit in PRESENT_UNITS),
)
DIGITS = {"time": 6, "gaze": 6, "place": 3, "angle": 5, "unit": 4}  # decimals
SIZE, CAMERA = (
    (640, 480),
    np.array([[500, 0, 320], [0, 500, 240], [0, 0, 1]], np.float32),
)  # OpenFace's, where none is known
_METHOD = "openface action units"


def write_openface(sequence: FaceSequence, template: Template, path: str | Path) -> list[str]:
    """Write a sequence as OpenFace 2.2 would; returns what is lost.

    Raises
    ------
    InputError
        The sequence is of another template, or its head is not before the camera.
    """
    sequence.check_template(template)
    used = sequence.valid
    table = _measured(sequence, template)
    units = action_units(sequence)
    missing = [f"AU{unit}" for unit in PRESENT_UNITS if f"AU{unit}" not in units]
    for unit in UNITS:
        table[f"AU{unit}_r"] = units.get(f"AU{unit}", np.full(len(sequence), np.nan)).round(DIGITS["unit"])
    for unit in PRESENT_UNITS:
        shown = units.get(f"AU{unit}")
        table[f"AU{unit}_c"] = np.full(len(sequence), np.nan) if shown is None else (shown >= PRESENT).astype(float)
    frame = pd.DataFrame(table, index=range(len(sequence)), columns=list(COLUMNS)).astype(float)
    frame[~used] = 0.0
    frame["frame"], frame["face_id"] = np.arange(1, len(sequence) + 1), 0
    frame["timestamp"] = sequence.time_s.round(DIGITS["time"])
    frame["confidence"] = frame["success"] = used.astype(int)
    text = io.StringIO()
    frame.to_csv(text, index=False, na_rep="NaN", lineterminator="\n")
    write_atomically(path, text.getvalue().encode())
    notes = ["identity, expressions that are no action units, standard errors and reasons left out"]
    notes += [f"no shape for {', '.join(missing)}: NaN"] if missing else []
    return notes


def read_openface(path: str | Path, template: Template, fps: float | None = None) -> tuple[FaceSequence, list[str]]:
    """Parameters from the action units, head pose and gaze of a table; the identity is the template's mean face.

    Every shape of a unit has the unit's intensity, so that the action units of the sequence are the table's.

    template : one with named expressions

    Raises
    ------
    InputError
        The table is none of OpenFace's or cannot be used, its frame rate is unknown, or the template has no named
        expressions or no jaw and eyes.
    """
    check_named(template)
    table = read_tool_table(path, fps)
    if table.tool != OPENFACE:
        raise InputError(f"expected a table of OpenFace, but {path} is one of {table.tool}; pass --from fex.")
    valid, units = table.courses.valid.copy(), table.courses.units
    known = np.isfinite(list(units.values())).all(0) if units else np.ones_like(valid)
    courses = {code: np.where(valid & known, values, 0) / FULL for code, values in units.items()}
    expression, pose, lost = expressions_of(courses, template, len(valid))
    notes = ["the table tells no identity: the template's mean face"]
    notes += [f"no shape for {', '.join(lost)}: left out"] if lost else []
    if table.head_turns is None or table.courses.head_mm is None:
        notes.append("no head pose in the table: the head faces the camera, one metre away")
    else:
        pose[:, 0] = table.head_turns @ FACING
        known &= np.isfinite(pose[:, 0]).all(1) & np.isfinite(table.courses.head_mm).all(1)
    if table.courses.gaze is not None:
        _turn_eyes(pose, table, template)
    return table_sequence(table, template, expression, pose, valid & known, _METHOD, notes), [*table.warnings, *notes]


def check_named(template: Template) -> None:
    """Raise InputError unless a template's expressions have names and bounds, and jaw and eyes turn."""
    if not template.bounded or not {"jaw", "left_eye", "right_eye"} <= set(template.joint_names):
        raise InputError(
            f"expected a template with named expressions, a jaw and eyes for a table of another tool, but "
            f"{template.name} has not; leave --template out."
        )


def expressions_of(
    units: dict[str, np.ndarray], template: Template, frames: int
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Expression (T, E) and pose (T, J, 3) that show action units of amounts (T,), 0 to 1, and the units that have no
    shape. Units of the eyes' joints are left to gaze.
    """
    expression = np.zeros((frames, template.n_expression), np.float32)
    pose = np.zeros((frames, template.n_joints, 3), np.float32)
    lost = []
    for code, amount in units.items():
        unit = ACTION_UNITS.get(code)
        joints = [name for name in unit.joints if name in template.joint_names] if unit else []
        columns = [i for name in unit.expressions for i in sided(name, template.expression_names)] if unit else []
        if unit is None or not (joints or columns):
            lost.append(code)
            continue
        expression[:, columns] = np.clip(amount, 0, 1)[:, None]
        for joint in joints:
            pose[:, template.joint(joint)] += np.clip(amount, 0, 1)[:, None] * np.array(unit.axis) * unit.full
    return expression, pose, lost


def table_sequence(
    table: ToolTable,
    template: Template,
    expression: np.ndarray,
    pose: np.ndarray,
    valid: np.ndarray,
    method: str,
    notes: list[str],
) -> FaceSequence:
    """The face sequence of a tool's table, whose identity is unknown.

    Raises
    ------
    InputError
        The table's frame rate is unknown, or no frame is valid.
    """
    courses = table.courses
    if not np.isfinite(courses.frame_rate):
        raise InputError(
            f"expected a frame rate, which this table of {table.tool} does not tell; give the recording's with --fps, "
            "such as --fps 25."
        )
    if not valid.any():
        raise InputError("expected frames with all action units, but there is none; use a better recording.")
    place = np.tile([0.0, 0.0, 1.0], (len(valid), 1)) if courses.head_mm is None else courses.head_mm / 1000
    zero = np.zeros_like
    return FaceSequence(
        template=template.name,
        template_sha256=template.sha256,
        expression_names=template.expression_names,
        joint_names=template.joint_names,
        shape=np.zeros(template.n_shape, np.float32),
        shape_sd=np.ones(template.n_shape, np.float32),
        expression=np.where(valid[:, None], expression, zero(expression)),
        expression_sd=np.ones(template.n_expression, np.float32),
        pose=np.where(valid[:, None, None], pose, zero(pose)),
        translation=np.where(valid[:, None], place, zero(place)).astype(np.float32),
        camera_matrix=CAMERA,
        image_size=SIZE,
        time_s=courses.time_s - courses.time_s[0],
        valid=valid,
        quality=valid.astype(np.float32),
        reason=(~valid).astype(np.uint8),
        reason_names=("ok", "low confidence"),
        frame_rate=courses.frame_rate,
        provenance={
            "converted": {
                "from": table.tool,
                "method": method,
                "camera": "not told: OpenFace's default",
                "notes": notes,
            }
        },
    )


def _turn_eyes(pose: np.ndarray, table: ToolTable, template: Template) -> None:
    """Turn the eyes of `pose` (T, J, 3) as gaze (T, 2, 3), camera frame, says: first the eye on the picture's left."""
    gaze = table.courses.gaze
    assert gaze is not None, "asked for where there is one"
    head = FACING @ rotation_from_axis_angle(pose[:, 0])
    for number, name in enumerate(("right_eye", "left_eye")):
        if name not in template.joint_names:
            continue
        ahead = np.nan_to_num(np.einsum("tji,tj->ti", head, gaze[:, min(number, gaze.shape[1] - 1)]))
        angle = np.arctan2(np.hypot(ahead[:, 0], ahead[:, 1]), ahead[:, 2])
        across = np.column_stack([-ahead[:, 1], ahead[:, 0], np.zeros(len(ahead))])
        length = np.linalg.norm(across, axis=1, keepdims=True)
        axis = np.divide(across, length, out=np.zeros_like(across), where=length > 1e-9)
        pose[:, template.joint(name)] = axis * angle[:, None]


def _measured(sequence: FaceSequence, template: Template) -> dict[str, np.ndarray]:
    """Gaze, head pose and landmarks of every frame, by column."""
    used = sequence.valid
    placed = sequence.camera_from_head.astype(np.float64)
    marks = np.zeros((len(sequence), POINTS, 3))
    marks[used] = template.landmarks68(sequence.vertices(template, used)).astype(np.float64)
    camera = marks @ np.swapaxes(placed[:, :3, :3], 1, 2) + placed[:, None, :3, 3]
    if (camera[used, :, 2] <= 0).any():
        raise InputError("expected the head before the camera, but in some frames it is not; its place is unknown.")
    camera[~used] = [0, 0, 1]
    pixels = project(camera, sequence.camera_matrix)
    turns = Rotation.from_matrix(placed[:, :3, :3] @ FACING).as_euler("XYZ")
    out: dict[str, np.ndarray] = {
        f"pose_T{axis}": (1000.0 * sequence.translation[:, i]).round(DIGITS["place"]) for i, axis in enumerate("xyz")
    }
    out |= {f"pose_R{axis}": turns[:, i].round(DIGITS["angle"]) for i, axis in enumerate("xyz")}
    for i, axis in enumerate("xy"):
        out |= {f"{axis}_{k}": pixels[:, k, i].round(DIGITS["place"]) for k in range(POINTS)}
    for i, axis in enumerate("XYZ"):
        out |= {f"{axis}_{k}": (1000 * camera[:, k, i]).round(DIGITS["place"]) for k in range(POINTS)}
    return out | _gaze(sequence, template, placed[:, :3, :3])


def _gaze(sequence: FaceSequence, template: Template, head: np.ndarray) -> dict[str, np.ndarray]:
    """Where the eyes look, camera frame; the first is the eye on the picture's left: the subject's right."""
    if not {"left_eye", "right_eye"} <= set(sequence.joint_names):
        return {}
    looks = []
    for name in ("right_eye", "left_eye"):
        joint, turn = template.joint(name), np.tile(np.eye(3), (len(sequence), 1, 1))
        while joint > 0:
            turn = rotation_from_axis_angle(sequence.pose[:, joint]) @ turn
            joint = int(template.parents[joint])
        looks.append((head @ turn)[..., 2])
    out = {
        f"gaze_{eye}_{axis}": looks[eye][:, i].round(DIGITS["gaze"]) for eye in (0, 1) for i, axis in enumerate("xyz")
    }
    mean = (looks[0] + looks[1]) / 2
    for i, axis in enumerate("xy"):
        out[f"gaze_angle_{axis}"] = np.arctan2(mean[:, i], -mean[:, 2]).round(DIGITS["angle"])
    return out
