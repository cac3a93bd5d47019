"""Emoface's feature files, one .npy a quantity, and EMOCA's folders, one a frame.

Both hold FLAME's shape (100), expression (50) and pose (6: the head's turn, then the jaw's). They say neither where the
head is, nor how eyes and neck turn, nor at which frame rate.
"""

import re
from pathlib import Path

import numpy as np

from atlas.exchange.arrays import read_npy, shaped, write_npy
from atlas.exchange.flame import FlameCodes, cut
from atlas.exchange.meshes import posed_vertices, write_obj
from atlas.exchange.timing import FILE, read_timing
from reconstruction.errors import InputError
from reconstruction.template import Template

SHAPE, EXPRESSION, POSE = 100, 50, 6
JAW = 2  # of flame.JOINTS
_EXPRESSION_FILES = ("expression.npy", "exp.npy")
_DROPPED = ("tex.npy", "detail.npy")


def is_emoface(path: Path) -> bool:
    """Whether the folder holds stacked feature files."""
    return path.is_dir() and (path / "pose.npy").is_file() and _expression_file(path) is not None


def is_emoca(path: Path) -> bool:
    """Whether the folder holds a folder a frame, and not a folder a recording."""
    return path.is_dir() and any(_is_frame(folder) for folder in _folders(path)[:3])


def read_emoface(path: Path, fps: float | None) -> FlameCodes:
    """Stacked feature files: shape (N, 100) or (100,), expression (N, 50), pose (N, 6); vertices are not needed.

    Raises
    ------
    InputError
        A file is missing, hostile or of another shape, or the frame rate is not known.
    """
    expression_file = _expression_file(path)
    if expression_file is None:
        raise InputError(f"expected expression.npy or exp.npy in {path}, but there is none; check the folder.")
    shape = shaped(read_npy(path / "shape.npy"), f"shape.npy of {path}", SHAPE, 300)
    expression = shaped(read_npy(path / expression_file), f"{expression_file} of {path}", EXPRESSION, 100)
    pose = shaped(read_npy(path / "pose.npy"), f"pose.npy of {path}", POSE)
    notes = ["vertices.npy was not read: the parameters give them"] if (path / "vertices.npy").is_file() else []
    if len(pose) != len(expression) or len(shape) not in (1, len(expression)):
        raise InputError(
            f"expected as many frames in every file of {path}, got {len(expression)} of expression, {len(pose)} of "
            f"pose and {len(shape)} of shape; check the files."
        )
    timing = read_timing(path / FILE, np.arange(len(expression)), fps, "Emoface")
    return FlameCodes(one_shape(shape, notes), expression, full_pose(pose), None, timing, tuple(notes))


def read_emoca(path: Path, fps: float | None) -> FlameCodes:
    """A folder a frame, each with shape.npy, exp.npy and pose.npy; frames are numbered by the folders' names.

    Raises
    ------
    InputError
        A file is missing, hostile or of another shape, two folders have one number, or the frame rate is not known.
    """
    folders = [frame for frame in _folders(path) if is_emoface(frame)]
    numbers = np.array([_number(frame) for frame in folders])
    if not len(numbers):
        raise InputError(f"expected folders with exp.npy and pose.npy in {path}, but there are none; check the path.")
    if (np.diff(numbers) == 0).any():
        twice = folders[int(np.argmax(np.diff(numbers) == 0))].name
        raise InputError(f"expected a number of its own in every frame's folder in {path}, but {twice}'s repeats.")
    rows: list[list[np.ndarray]] = [[], [], []]
    for frame in folders:
        expression_file = _expression_file(frame) or ""
        for row, (file, sizes) in zip(
            rows,
            (("shape.npy", (SHAPE, 300)), (expression_file, (EXPRESSION, 100)), ("pose.npy", (POSE,))),
            strict=True,
        ):
            found = shaped(read_npy(frame / file), f"{file} of {frame}", *sizes)
            if (row and found.shape != row[0].shape) or len(found) != 1:
                raise InputError(
                    f"expected one frame of one size in {frame / file}, got {found.shape}; check the file."
                )
            row.append(found)
    shape, expression, pose = (np.concatenate(row) for row in rows)
    notes = [f"{file} has no place here and was left out" for file in _DROPPED if (folders[0] / file).is_file()]
    timing = read_timing(path / FILE, numbers, fps, "EMOCA")
    return FlameCodes(one_shape(shape, notes), expression, full_pose(pose), None, timing, tuple(notes))


def write_emoface(codes: FlameCodes, folder: Path, template: Template | None, meshes: bool) -> list[str]:
    """Write stacked feature files of the frames held, float32; returns what is lost.

    meshes : also vertices.npy (N, V, 3) metres, turned as the pose says; needs the template
    """
    shape, expression, pose, notes = _six(codes)
    write_npy(folder / "shape.npy", np.tile(shape, (len(codes), 1)))
    write_npy(folder / "expression.npy", expression)
    write_npy(folder / "pose.npy", pose)
    if meshes:
        write_npy(folder / "vertices.npy", posed_vertices(codes, template, slice(None)))
    codes.timing.write(folder / FILE)
    return notes


def write_emoca(codes: FlameCodes, folder: Path, template: Template | None, meshes: bool) -> list[str]:
    """Write a folder a frame held, named by its number from 1; returns what is lost.

    meshes : also mesh_coarse.obj, metres, turned as the pose says; needs the template
    """
    shape, expression, pose, notes = _six(codes)
    for i, number in enumerate(codes.timing.frames):
        frame = folder / f"{number + 1:06d}"
        write_npy(frame / "shape.npy", shape)
        write_npy(frame / "exp.npy", expression[i])
        write_npy(frame / "pose.npy", pose[i])
        if meshes and template is not None:
            write_obj(frame / "mesh_coarse.obj", posed_vertices(codes, template, slice(i, i + 1))[0], template)
    codes.timing.write(folder / FILE)
    return notes


def full_pose(pose: np.ndarray) -> np.ndarray:
    """(N, 5, 3) of the head's and the jaw's turn (N, 6)."""
    out = np.zeros((len(pose), 5, 3), np.float32)
    out[:, 0], out[:, JAW] = pose[:, :3], pose[:, 3:]
    return out


def six_pose(codes: FlameCodes, notes: list[str]) -> np.ndarray:
    """(N, 6) float32 of the head's and the jaw's turn; `notes` says what else turns."""
    for joint, name in ((1, "the neck's turn"), (3, "the eyes' turn")):
        if codes.pose[:, joint].any():
            notes.append(f"{name} left out: the layout has none")
    return np.concatenate([codes.pose[:, 0], codes.pose[:, JAW]], 1)


def one_shape(shape: np.ndarray, notes: list[str]) -> np.ndarray:
    """(S,) the mean of a shape a frame (N, S); `notes` says how far frames differ."""
    if not (shape == shape[0]).all():
        spread = float(shape.std(0).mean())
        notes.append(f"shape differed from frame to frame, by {spread:.2g} standard deviations: one mean is kept")
        return shape.mean(0, dtype=np.float64).astype(np.float32)
    return shape[0]


def _six(codes: FlameCodes) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[str]]:
    notes: list[str] = []
    shape = cut(codes.shape, SHAPE, "shape components", notes)
    expression = cut(codes.expression, EXPRESSION, "expressions", notes)
    return shape, expression, six_pose(codes, notes), notes


def _expression_file(folder: Path) -> str | None:
    return next((name for name in _EXPRESSION_FILES if (folder / name).is_file()), None)


def _is_frame(folder: Path) -> bool:
    """Whether a folder holds feature files of one frame alone."""
    if not is_emoface(folder) or (folder / FILE).is_file():
        return False
    try:
        array = read_npy(folder / (_expression_file(folder) or ""))
    except InputError:
        return False
    return array.ndim == 1 or len(array) == 1


def _folders(path: Path) -> list[Path]:
    return sorted((p for p in path.iterdir() if p.is_dir()), key=lambda p: (_number(p), p.name))


def _number(folder: Path) -> int:
    """The frame's: the first row of digits in the folder's name, as EMOCA's 000012_000 has it."""
    digits = re.search(r"\d{1,9}", folder.name)
    return int(digits[0]) if digits else -1
