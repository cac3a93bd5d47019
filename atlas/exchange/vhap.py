"""VHAP's tracked parameters, one .npz a recording: all of FLAME's joints, and where the head is.

rotation, translation, neck_pose, jaw_pose (N, 3), eyes_pose (N, 6: left, right), shape (300), expr (N, 100); metres,
radians, axes as the head frame's, the camera looking along -z.
"""

from pathlib import Path

import numpy as np

from atlas.exchange.arrays import names_in, read_archive, shaped
from atlas.exchange.emoface import one_shape
from atlas.exchange.flame import N_EXPRESSION, N_SHAPE, FlameCodes, cut
from atlas.exchange.timing import FILE, read_timing
from reconstruction.errors import InputError

WIDTHS = {
    "rotation": 3, "translation": 3, "neck_pose": 3, "jaw_pose": 3, "eyes_pose": 6, "shape": N_SHAPE,
    "expr": N_EXPRESSION,
}  # fmt: skip


def is_vhap(names: set[str]) -> bool:
    """Whether the arrays of a file are VHAP's."""
    return {"rotation", "jaw_pose", "expr"} <= names


def read_vhap(path: Path, fps: float | None) -> FlameCodes:
    """One recording.

    Raises
    ------
    InputError
        The file is hostile, an array missing or of another shape, or the frame rate is not known.
    """
    found = read_archive(path, tuple(WIDTHS))
    missing = [name for name in WIDTHS if name not in found]
    if missing:
        raise InputError(f"expected an array {missing[0]!r} in {path}, but it is missing; check that it is VHAP's.")
    parts = {name: shaped(found[name], f"{name} of {path}", width) for name, width in WIDTHS.items()}
    shape = parts.pop("shape")
    lengths = {name: len(array) for name, array in parts.items()}
    if len(set(lengths.values())) != 1:
        raise InputError(f"expected as many frames in every array of {path}, got {lengths}; check the file.")
    others = sorted(names_in(path) - set(WIDTHS))
    notes = [f"{', '.join(others[:6])}{' ...' if len(others) > 6 else ''}: no place here, left out"] if others else []
    joints = [parts[name] for name in ("rotation", "neck_pose", "jaw_pose", "eyes_pose")]
    pose = np.concatenate(joints, 1).reshape(-1, 5, 3)
    place = path.with_name(f"{path.name.removesuffix(path.suffix)}.{FILE}")
    timing = read_timing(place, np.arange(len(pose)), fps, "VHAP")
    return FlameCodes(one_shape(shape, notes), parts["expr"], pose, parts["translation"], timing, tuple(notes))


def vhap_arrays(codes: FlameCodes) -> tuple[dict[str, np.ndarray], list[str]]:
    """VHAP's arrays of the frames held, float32, and what is lost: nothing."""
    notes: list[str] = []
    assert codes.translation is not None, "asked for with its place"
    out = {
        "rotation": codes.pose[:, 0],
        "translation": codes.translation,
        "neck_pose": codes.pose[:, 1],
        "jaw_pose": codes.pose[:, 2],
        "eyes_pose": codes.pose[:, 3:].reshape(-1, 6),
        "shape": cut(codes.shape, N_SHAPE, "shape components", notes),
        "expr": cut(codes.expression, N_EXPRESSION, "expressions", notes),
    }
    return {name: np.ascontiguousarray(array, np.float32) for name, array in out.items()}, notes
