"""Tables of other tools: OpenFace 1.x and 2.x CSV, Py-Feat Fex CSV, read as the courses that biomarkers come from.

What makes them treacherous: OpenFace 1.x has a blank before every column's name; a unit that OpenFace cannot measure is
written 0, so that only frames it calls a success with a confidence of at least `CONFIDENCE` count; Fex gives
probabilities, not intensities, and AU43 instead of AU45; Fex's ``Identity_*`` columns identify the person and are never
read. A table is read for the columns named here, all of them numbers; nothing else in it is looked at.
"""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.spatial.transform import Rotation

from atlas.biomarkers.alignment import without_head_pose
from atlas.biomarkers.courses import Courses
from reconstruction.errors import InputError

OPENFACE, FEX = "OpenFace", "Py-Feat"
CONFIDENCE = 0.8
LIKELY = 0.5  # probability from which a unit of Fex counts as present
MOST_BYTES, MOST_HEADER = 2**30, 2**17
FASTEST = 240.0  # frames per second; time stamps closer than that are none
_UNITS = tuple(f"AU{n:02d}" for n in (1, 2, 4, 5, 6, 7, 9, 10, 11, 12, 14, 15, 17, 20, 23, 24, 25, 26, 28, 43, 45))
_POINTS = range(68)
_NUMBERS = (
    *("frame", "face_id", "timestamp", "confidence", "success", "FaceScore", "gaze_pitch", "gaze_yaw"),
    *(f"gaze_{eye}_{axis}" for eye in "01" for axis in "xyz"),
    *(f"pose_{what}{axis}" for what in "TR" for axis in "xyz"),
    *(f"{axis}_{i}" for axis in "xyXYZ" for i in _POINTS),
    *(f"{unit}{kind}" for unit in _UNITS for kind in ("", "_r", "_c")),
)


@dataclass(frozen=True)
class ToolTable:
    """What one table says of one person in one recording.

    tool : `OPENFACE` or `FEX`
    courses : of T frames; `units` are intensities of OpenFace, and empty for Fex
    probabilities : {code: (T,)} of Fex, 0 to 1, and empty for OpenFace
    head_turns : (T, 3) axis-angle, radians, or None
    warnings : what was odd
    """

    tool: str
    courses: Courses
    probabilities: dict[str, np.ndarray]
    head_turns: np.ndarray | None
    warnings: tuple[str, ...]

    @property
    def frames_used(self) -> int:
        return int(self.courses.valid.sum())


def read_tool_table(path: str | Path, fps: float | None = None) -> ToolTable:
    """Read a table; the tool is told by its columns.

    fps : frames per second of the recording, where the table does not say or says it wrongly

    Raises
    ------
    InputError
        The file is missing, empty, larger than `MOST_BYTES`, no table of these tools, holds something that is no number
        where one belongs, several faces in one frame, or no frame to trust; or `fps` is no frame rate.
    """
    path = Path(path)
    if fps is not None and not 0 < fps <= FASTEST:
        raise InputError(f"expected a frame rate above 0 and up to {FASTEST:g}, got {fps:g}; give the recording's.")
    columns, tool = _columns(path)
    frame = _numbers(path, columns)
    warnings: list[str] = []
    if "face_id" in frame:
        frame = _one_face(frame, path, warnings)
    numbered = frame["frame"].to_numpy() if "frame" in frame else np.arange(len(frame), dtype=float)
    if not (np.isfinite(numbered).all() and (np.diff(numbered) > 0).all()):
        raise InputError(
            f"expected one row a frame with rising numbers in {path}, but some repeat, fall or are missing; keep one "
            "person's rows, in order."
        )
    valid = _trusted(frame, tool)
    if not valid.any():
        raise InputError(
            f"expected frames with a confidence of at least {CONFIDENCE:g} in {path}, but none of {len(frame)} has it; "
            "use a better recording."
        )
    time_s, rate = _times(frame, numbered, fps, path, warnings)
    gaze = _gaze(frame)
    place = _columns_of(frame, *(f"pose_T{axis}" for axis in "xyz"))
    turns = _columns_of(frame, *(f"pose_R{axis}" for axis in "xyz"))
    head = None if turns is None else Rotation.from_euler("XYZ", np.nan_to_num(turns))
    points, in_mm, bridge = _points(frame, valid, head, place)
    for part in (gaze, points):
        if part is not None:
            valid = valid & np.isfinite(part).reshape(len(part), -1).all(1)
    columns_of = {
        kind: {
            unit: frame[f"{unit}{kind}"].to_numpy()
            for unit in _UNITS
            if f"{unit}{kind}" in frame
            and frame[f"{unit}{kind}"][valid].notna().any()  # what is never told is not there
        }
        for kind in ("_r", "_c", "")
    }
    courses = Courses(
        time_s, rate, valid,
        units=columns_of["_r"] if tool == OPENFACE else {},
        present={code: flag >= 1 for code, flag in columns_of["_c"].items()} if tool == OPENFACE else {},
        points=points, in_mm=in_mm, gaze=gaze, head_mm=place, bridge_mm=bridge,
    )  # fmt: skip
    probabilities = columns_of[""] if tool == FEX else {}
    if "AU43" in probabilities:
        probabilities = {
            **{code: p for code, p in probabilities.items() if code != "AU43"},
            "AU45": probabilities["AU43"],
        }
    return ToolTable(tool, courses, probabilities, None if head is None else head.as_rotvec(), tuple(warnings))


def _columns(path: Path) -> tuple[list[int], str]:
    """Positions of the columns to be read, and the tool."""
    if not path.is_file():
        raise InputError(f"expected a CSV table, but {path} does not exist; check the path.")
    size = path.stat().st_size
    if size > MOST_BYTES:
        raise InputError(
            f"expected a table of at most {MOST_BYTES / 2**30:g} GiB, but {path} has {size / 2**30:.1f}; cut it."
        )
    with path.open("rb") as file:
        first = file.readline(MOST_HEADER + 1)
    if len(first) > MOST_HEADER:
        raise InputError(
            f"expected names of columns of at most {MOST_HEADER >> 10} KiB in {path}, but its first line is longer; "
            "export it anew."
        )
    try:
        names = [name.strip() for name in next(csv.reader([first.decode("utf-8-sig")]), [])]
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"expected a CSV table as UTF-8 text, but {path} is none; export it anew.") from error
    if {"confidence", "success"} <= set(names) and any(name.endswith("_r") for name in names):
        tool = OPENFACE
    elif {"FaceScore", "AU12"} <= set(names):
        tool = FEX
    else:
        found = ", ".join(names[:4]) or "nothing"
        raise InputError(
            f"expected a table of OpenFace (confidence, success, AU01_r ...) or Py-Feat (FaceScore, AU01 ...), but "
            f"{path} begins with {found[:80]}; export it from one of them."
        )
    wanted = [i for i, name in enumerate(names) if name in _NUMBERS]
    repeated = sorted({names[i] for i in wanted if names.count(names[i]) > 1})
    if repeated:
        raise InputError(f"expected every column once in {path}, but {repeated[0]} is there twice; export it anew.")
    return wanted, tool


def _numbers(path: Path, columns: list[int]) -> pd.DataFrame:
    """The columns of these positions as float64, names without blanks."""
    try:
        frame = pd.read_csv(path, usecols=columns, dtype=np.float64, skipinitialspace=True, encoding="utf-8-sig")
    except (ValueError, UnicodeDecodeError, OverflowError, pd.errors.ParserError) as error:
        raise InputError(
            f"expected numbers in the columns of {path}, but that failed ({str(error).splitlines()[0][:120]}); "
            "export it anew."
        ) from error
    if frame.empty:
        raise InputError(f"expected a row a frame in {path}, but there is none; export it anew.")
    frame.columns = frame.columns.str.strip()
    return frame.replace([np.inf, -np.inf], np.nan)


def _one_face(frame: pd.DataFrame, path: Path, warnings: list[str]) -> pd.DataFrame:
    """The rows of the face that is seen in most frames."""
    counts = frame["face_id"].value_counts()
    if counts.empty:
        raise InputError(f"expected a number as face_id in {path}, but there is none; export it anew.")
    if len(counts) > 1:
        warnings.append(
            f"{path.name} shows {len(counts)} faces; the one seen longest was taken ({counts.iloc[0]} frames)"
        )
    return frame[frame["face_id"] == counts.sort_index(kind="stable").idxmax()].reset_index(drop=True)


def _trusted(frame: pd.DataFrame, tool: str) -> np.ndarray:
    """(T,) bool: success and confidence; NaN is neither."""
    if tool == FEX:
        return (frame["FaceScore"] >= CONFIDENCE).to_numpy()
    return ((frame["success"] == 1) & (frame["confidence"] >= CONFIDENCE)).to_numpy()


def _times(
    frame: pd.DataFrame, numbered: np.ndarray, fps: float | None, path: Path, warnings: list[str]
) -> tuple[np.ndarray, float]:
    """(T,) seconds and frames per second of the rows; frames and NaN where no time is known."""
    apart = float(np.median(np.diff(numbered))) if len(numbered) > 1 else 1.0
    if fps is not None:
        return (numbered - numbered[0]) / fps, fps / apart
    if "timestamp" in frame and len(frame) > 1:
        stamps = frame["timestamp"].to_numpy()
        gap = float(np.median(np.diff(stamps)))
        if np.isfinite(stamps).all() and (np.diff(stamps) > 0).all() and gap >= 1 / FASTEST:
            return stamps, 1 / gap
        warnings.append(
            f"{path.name} has time stamps {gap:g} s apart, which no recording has: rates are unknown without --fps"
        )
    else:
        warnings.append(f"{path.name} does not say its frame rate: rates are unknown without --fps")
    return (numbered - numbered[0]) / apart, float("nan")


def _columns_of(frame: pd.DataFrame, *names: str) -> np.ndarray | None:
    """(T, len(names)), or None where one is missing."""
    return frame[list(names)].to_numpy() if set(names) <= set(frame.columns) else None


def _gaze(frame: pd.DataFrame) -> np.ndarray | None:
    """(T, eyes, 3) unit vectors."""
    eyes = [_columns_of(frame, *(f"gaze_{eye}_{axis}" for axis in "xyz")) for eye in "01"]
    angles = _columns_of(frame, "gaze_pitch", "gaze_yaw")
    if eyes[0] is not None and eyes[1] is not None:
        gaze = np.stack([eyes[0], eyes[1]], 1)
    elif angles is not None:
        pitch, yaw = angles.T
        gaze = np.stack([np.cos(pitch) * np.sin(yaw), np.sin(pitch), np.cos(pitch) * np.cos(yaw)], 1)[:, None]
    else:
        return None
    length = np.linalg.norm(gaze, axis=2, keepdims=True)
    return np.divide(gaze, length, out=np.full_like(gaze, np.nan), where=length > 0)


def _points(
    frame: pd.DataFrame, valid: np.ndarray, head: Rotation | None, place: np.ndarray | None
) -> tuple[np.ndarray | None, bool, np.ndarray | None]:
    """Key points (T, 68, D) without head pose, whether they are in mm, and the bridge of the nose where they are.

    head, place : the pose that the tool gives, R = Rx Ry Rz and mm; without it, and of pixels, points are laid on their
        mean
    """
    for axes in ("XYZ", "xy"):
        found = _columns_of(frame, *(f"{axis}_{i}" for i in _POINTS for axis in axes))
        if found is None:
            continue
        points = found.reshape(len(frame), 68, len(axes))
        if axes == "xy":
            return without_head_pose(points, valid, scaled=True), False, None
        if head is None or place is None:
            return without_head_pose(points, valid, scaled=False), True, points[:, 27]
        return (points - place[:, None]) @ head.as_matrix(), True, points[:, 27]
    return None, False, None
