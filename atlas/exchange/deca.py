"""DECA's codes: a dict of shape (N, 100), exp (N, 50), pose (N, 6) and cam (N, 3), as .npz or as DECA's .mat.

cam is [s, tx, ty] of a scaled orthographic camera in a crop of 224 pixels whose sides are -1 and 1. A pinhole camera of
a long lens sees the same where the head stands at the depth 10 / s metres. Every frame has a crop of its own, so that
the head's place is that in the crop and no movement.
"""

import re
from pathlib import Path

import numpy as np

from atlas.exchange.arrays import read_archive, shaped
from atlas.exchange.emoface import EXPRESSION, POSE, SHAPE, full_pose, one_shape, six_pose
from atlas.exchange.flame import FOCAL, SIZE, FlameCodes, cut
from atlas.exchange.timing import FILE, read_timing
from reconstruction.errors import InputError

NAMES = ("shape", "exp", "pose", "cam")
DEPTH = 2 * FOCAL / SIZE  # metres times s
SMALLEST = 1e-3  # of s: a face of a thousandth of the crop
CROP = "the head's place is that in each frame's own crop, and no movement of the head"


def is_deca(names: set[str]) -> bool:
    """Whether the arrays of a file are DECA's."""
    return {"shape", "exp", "pose"} <= names and "expr" not in names


def mat_files(folder: Path) -> list[Path]:
    """DECA's .mat files in a folder or in its folders, one a frame, by the numbers in their names."""
    return sorted([*folder.glob("*.mat"), *folder.glob("*/*.mat")], key=lambda p: (_number(p), p.name))


def read_deca(path: Path, fps: float | None) -> FlameCodes:
    """Codes in one file, or a folder of .mat files, one a frame.

    Raises
    ------
    InputError
        A file is hostile, an array missing or of another shape, or the frame rate is not known.
    """
    files = mat_files(path) if path.is_dir() else [path]
    if not files:
        raise InputError(f"expected DECA's .mat files in {path}, but there are none; check the path.")
    parts = [_codes(file) for file in files]
    if len({"cam" in part for part in parts}) > 1 or len({p["exp"].shape[1] for p in parts}) > 1:
        raise InputError(f"expected the same arrays in every file of {path}, but they differ; check the files.")
    shape, expression, pose = (np.concatenate([part[name] for part in parts]) for name in ("shape", "exp", "pose"))
    notes: list[str] = []
    translation = None
    if "cam" in parts[0]:
        cam = np.concatenate([part["cam"] for part in parts]).astype(np.float64)
        if (cam[:, 0] < SMALLEST).any():
            raise InputError(f"expected a positive scale in cam of {path}, got {cam[:, 0].min():g}; check the file.")
        translation = np.column_stack([cam[:, 1:], -DEPTH / cam[:, 0]])
        notes.append(CROP)
    numbers = np.arange(len(expression))
    if path.is_dir() and len(expression) == len(files):
        named = np.array([_number(file) for file in files])
        numbers = named if (np.diff(named) > 0).all() and named[0] >= 0 else numbers
    place = path / FILE if path.is_dir() else path.with_name(f"{path.name.removesuffix(path.suffix)}.{FILE}")
    timing = read_timing(place, numbers, fps, "DECA")
    return FlameCodes(one_shape(shape, notes), expression, full_pose(pose), translation, timing, tuple(notes))


def deca_arrays(codes: FlameCodes) -> tuple[dict[str, np.ndarray], list[str]]:
    """DECA's arrays of the frames held, float32, and what is lost."""
    notes: list[str] = []
    assert codes.translation is not None, "asked for with its place"
    place = codes.translation.astype(np.float64)
    if (place[:, 2] >= 0).any():
        raise InputError(
            "expected the head before the camera, but it is behind it: its place is told in axes that are no camera's; "
            "write the layout vhap, or emoface, which tells no place."
        )
    cam = np.column_stack([-DEPTH / place[:, 2], place[:, :2]])
    shape = cut(codes.shape, SHAPE, "shape components", notes)
    return {
        "shape": np.tile(shape, (len(codes), 1)).astype(np.float32),
        "exp": cut(codes.expression, EXPRESSION, "expressions", notes).astype(np.float32),
        "pose": six_pose(codes, notes).astype(np.float32),
        "cam": cam.astype(np.float32),
    }, notes


def _codes(path: Path) -> dict[str, np.ndarray]:
    found = read_archive(path, NAMES)
    missing = [name for name in NAMES[:3] if name not in found]
    if missing:
        raise InputError(f"expected an array {missing[0]!r} in {path}, but it is missing; check that it is DECA's.")
    sizes = {"shape": (SHAPE, 300), "exp": (EXPRESSION, 100), "pose": (POSE,), "cam": (3,)}
    out = {name: shaped(array, f"{name} of {path}", *sizes[name]) for name, array in found.items()}
    lengths = {name: len(array) for name, array in out.items() if name != "shape" or len(array) > 1}
    if len(set(lengths.values())) != 1:
        raise InputError(f"expected as many frames in every array of {path}, got {lengths}; check the file.")
    if len(out["shape"]) != len(out["exp"]):
        out["shape"] = np.repeat(out["shape"], len(out["exp"]), 0)
    return out


def _number(file: Path) -> int:
    digits = re.findall(r"\d{1,9}", file.stem)
    return int(digits[-1]) if digits else -1
