"""The elements of a face sequence's file: every array and field, with what a file must fulfil to be one.

T frames, S shape and E expression components, J joints. ``docs/format.md`` says the same in words, and a test compares.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np

from reconstruction.errors import InputError
from reconstruction.storage import left_out, take

MOST_NAMES, MOST_PIXELS, FASTEST = 4096, 2**20, 1e5
UNKNOWN_REASONS = ("ok", "unknown")


@dataclass(frozen=True)
class ArrayElement:
    """dtype : as written; axes : its sizes by letter, or numbers; unit, frame : in words, empty where there is none
    default : what an absent array of another's sizes is taken to be; None where a file without it is refused
    """

    dtype: type[np.generic]
    axes: str
    unit: str
    frame: str = ""
    default: float | None = None


CAMERA, PIXELS = "camera, OpenCV: x right, y down, z forward", "picture: x right, y down"
ARRAYS: dict[str, ArrayElement] = {
    "shape": ArrayElement(np.float32, "S", "standard deviations"),
    "shape_sd": ArrayElement(np.float32, "S", "standard deviations", default=1),
    "expression": ArrayElement(np.float32, "TE", "0 neutral to 1 full, or standard deviations: the template's"),
    "expression_sd": ArrayElement(np.float32, "E", "as expression", default=1),
    "pose": ArrayElement(np.float32, "TJ3", "radians, axis-angle", "the joint's parent"),
    "translation": ArrayElement(np.float32, "T3", "metres", CAMERA),
    "camera_matrix": ArrayElement(np.float32, "33", "pixels", PIXELS),
    "time_s": ArrayElement(np.float64, "T", "seconds from the start of the recording"),
    "valid": ArrayElement(np.uint8, "T", "1 a trustworthy face, 0 none"),
    "quality": ArrayElement(np.float32, "T", "weight, 0 unusable to 1 good", default=1),
    "reason": ArrayElement(np.uint8, "T", "index into reason_names", default=0),
}

Check = Callable[[Any], bool]


def _text(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= MOST_NAMES


def _names(value: Any) -> bool:
    if not isinstance(value, (list, tuple)) or len(value) > MOST_NAMES:
        return False
    return set(map(type, value)) <= {str} and all(value) and max(map(len, value), default=0) <= MOST_NAMES


def _distinct(value: Any) -> bool:
    return _names(value) and len(set(value)) == len(value)


def _size(value: Any) -> bool:
    sides = isinstance(value, list | tuple) and len(value) == 2 and all(type(side) is int for side in value)
    return sides and all(0 < side <= MOST_PIXELS for side in value)


def _rate(value: Any) -> bool:
    return type(value) in (int, float) and isfinite(value) and 0 < value <= FASTEST


FIELDS: dict[str, tuple[str, Check]] = {  # what it is, and whether a value is one
    "template": ("a template's name", _text),
    "template_sha256": ("a template's sha256", _text),
    "expression_names": ("different names", _distinct),
    "joint_names": ("different names", _distinct),
    "image_size": (f"a width and a height, 1 to {MOST_PIXELS} pixels", _size),
    "reason_names": ("names", lambda value: _names(value) and 0 < len(value) <= 256),
    "frame_rate": (f"frames per second above 0 and up to {FASTEST:g}", _rate),
    "simulated": ("true or false", lambda value: type(value) is bool),
    "provenance": ("an object", lambda value: isinstance(value, dict)),
}
_DEFAULTS: dict[str, Any] = {"provenance": {}, "reason_names": list(UNKNOWN_REASONS)}


def check_fields(header: Mapping[str, Any], path: str | Path) -> dict[str, Any]:
    """The fields of a file's header, lists as tuples, absent ones by default; what is no field is left out.

    Raises
    ------
    InputError
        One is missing or is not what it must be.
    """
    fields = {}
    for name, (what, check) in FIELDS.items():
        if name not in header and name not in _DEFAULTS:
            raise InputError(f"expected {name!r} in the header of {path}, but it is missing; write the file anew.")
        value = header.get(name, _DEFAULTS.get(name))
        if not check(value):
            raise InputError(
                f"expected {what} as {name!r} in the header of {path}, got {str(value)[:60]!r}; write the file anew."
            )
        fields[name] = tuple(value) if isinstance(value, list) else value
    return fields


def check_arrays(arrays: dict[str, np.ndarray], fields: Mapping[str, Any], path: str | Path) -> dict[str, np.ndarray]:
    """The arrays of a file in their own dtypes, `valid` as bool, absent ones by default.

    Raises
    ------
    InputError
        One is missing, of another shape or kind, or out of range; or there is no frame.
    """
    sizes: dict[str, int] = {
        "3": 3,
        "E": len(fields["expression_names"]),
        "J": len(fields["joint_names"]),
        "T": _length(arrays, "time_s"),
        "S": _length(arrays, "shape"),
    }
    if sizes["T"] == 0 and "time_s" in arrays:
        raise InputError(f"expected at least one frame in {path}, but it has none; write it anew.")
    out: dict[str, np.ndarray] = {}
    for name, element in ARRAYS.items():
        shape = tuple([sizes[axis] for axis in element.axes])
        if name not in arrays and element.default is not None:
            out[name] = np.full(shape, element.default, element.dtype)
            continue
        array = take(arrays, name, shape, path)
        wanted = np.dtype(element.dtype)
        if array.dtype == wanted:  # as nearly every file has it: no check to be made
            out[name] = array
            continue
        if array.dtype.kind not in ("f" if wanted.kind == "f" else "ub"):
            raise InputError(
                f"expected {name!r} in {path} as {wanted.name}, but it is {array.dtype.name}; write the file anew."
            )
        with np.errstate(over="ignore"):
            out[name] = array.astype(wanted)
        if array.itemsize > out[name].itemsize and not np.array_equal(np.isfinite(out[name]), np.isfinite(array)):
            raise InputError(
                f"expected numbers that {name!r} in {path} can hold, but some are too large; write it anew."
            )
    if "reason" not in arrays:
        out["reason"] = np.where(out["valid"] > 0, 0, min(1, len(fields["reason_names"]) - 1)).astype(np.uint8)
    if "quality" not in arrays:
        out["quality"] = out["valid"].astype(np.float32)
    _check_frames(out, len(fields["reason_names"]), path)
    out["valid"] = out["valid"].view(bool)
    return out


def _check_frames(arrays: Mapping[str, np.ndarray], reasons: int, path: str | Path) -> None:
    """Raise InputError where something that is said of a frame is out of range; which frame is asked only then."""
    time, valid, quality, reason = (arrays[name] for name in ("time_s", "valid", "quality", "reason"))
    if not len(time) or (
        np.maximum.reduce(valid) <= 1
        and np.maximum.reduce(reason) < reasons
        and np.minimum.reduce(quality) >= 0
        and np.maximum.reduce(quality) <= 1
        and np.logical_and.reduce(time[1:] >= time[:-1])
    ):
        return
    for what, wrong in (
        ("0 or 1 as 'valid'", valid > 1),
        ("a 'quality' of 0 to 1", (quality < 0) | (quality > 1)),
        ("'reason' to name one of 'reason_names'", reason >= reasons),
        ("'time_s' that does not fall", time[1:] < time[:-1]),
    ):
        if wrong.any():
            raise InputError(f"expected {what} in {path}, but frame {int(np.argmax(wrong))} differs; write it anew.")


def _length(arrays: Mapping[str, np.ndarray], name: str) -> int:
    return len(arrays[name]) if name in arrays and arrays[name].ndim else 0


def say_unknown(arrays: Mapping[str, Any], header: Mapping[str, Any], path: str | Path) -> None:
    """Say what of a file is none of these elements, and is left out."""
    known = {*ARRAYS, *FIELDS, "kind", "version"}
    if unknown := sorted(str(name)[:40] for name in {*arrays, *header} - known):
        more = f" and {len(unknown) - 3} more" if len(unknown) > 3 else ""
        left_out(f"{', '.join(unknown[:3])}{more} in {Path(path).name} is nothing that a face sequence has")
