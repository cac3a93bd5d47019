"""Which frames of a recording a layout holds, and when they were: most layouts of others do not say.

What they lack is written beside them as ``face-atlas.json``, so that a recording that comes back is whole.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from reconstruction.errors import InputError
from reconstruction.sequence import STATEMENT, FaceSequence
from reconstruction.storage import parse_json, write_atomically

FILE = "face-atlas.json"
KIND, VERSION = "face-exchange", 1
LARGEST, MOST_FRAMES, FASTEST = 2**26, 10**7, 1e5


@dataclass(frozen=True)
class Timing:
    """frames : (N,) int64, numbers of the frames held, from 0, rising; total : T, frames of the recording
    time_s : (T,) float64 seconds; frame_rate : frames per second; simulated : the person does not exist
    """

    frames: np.ndarray
    total: int
    time_s: np.ndarray
    frame_rate: float
    simulated: bool = False

    @classmethod
    def of(cls, sequence: FaceSequence) -> "Timing":
        """That of a sequence's valid frames."""
        frames = np.flatnonzero(sequence.valid)
        return cls(frames, len(sequence), sequence.time_s, sequence.frame_rate, sequence.simulated)

    @classmethod
    def even(cls, frames: np.ndarray, frame_rate: float) -> "Timing":
        """Of frames of these numbers, evenly apart from the first; the recording ends with the last of them."""
        frames = frames - frames[0]
        total = int(frames[-1]) + 1
        if total > MOST_FRAMES:
            raise InputError(f"expected at most {MOST_FRAMES} frames, but their numbers span {total}; check the files.")
        return cls(frames, total, np.arange(total) / frame_rate, frame_rate)

    def write(self, path: Path) -> None:
        """Write what a layout of others has no room for."""
        document = {
            "kind": KIND,
            "version": VERSION,
            "statement": STATEMENT,
            "simulated": self.simulated,
            "frame_rate": self.frame_rate,
            "frames": self.frames.tolist(),
            "time_s": self.time_s.tolist(),
        }
        write_atomically(path, (json.dumps(document, allow_nan=False, indent=1) + "\n").encode())


def read_timing(path: Path, numbers: np.ndarray, fps: float | None, what: str) -> Timing:
    """The timing of frames of these `numbers` (N,), rising: as the file says, or evenly apart at `fps`.

    what : the layout, for the message

    Raises
    ------
    InputError
        There is neither the file nor `fps`, or the file is damaged or of other frames.
    """
    if fps is not None and not 0 < fps <= FASTEST:
        raise InputError(f"expected a frame rate above 0 and up to {FASTEST:g}, got {fps:g}; give the recording's.")
    if not path.is_file():
        if fps is None:
            raise InputError(
                f"expected a frame rate, which {what} files do not tell; give the recording's with --fps, such as "
                "--fps 25."
            )
        return Timing.even(numbers, fps)
    if path.stat().st_size > LARGEST:
        raise InputError(f"expected at most 64 MB in {path}, but it is larger; remove it and give --fps.")
    try:
        found = parse_json(path.read_text("utf-8"))
        timing = _timing(found, fps)
    except (ValueError, TypeError, KeyError, OverflowError, AttributeError) as error:
        raise InputError(
            f"expected what face-atlas convert writes in {path}, but it is damaged ({str(error)[:60]}); remove it and "
            "give --fps."
        ) from None
    if len(timing.frames) != len(numbers):
        raise InputError(
            f"expected {len(timing.frames)} frames, as {path} says, but {len(numbers)} are there; remove it and give "
            "--fps."
        )
    return timing


def said_simulated(path: Path) -> bool:
    """Whether the file of a table's timing says that the person does not exist; a table without it does not say."""
    if not path.is_file() or path.stat().st_size > LARGEST:
        return False
    try:
        return _timing(parse_json(path.read_text("utf-8")), None).simulated
    except (ValueError, TypeError, KeyError, OverflowError, AttributeError):
        return False


def _timing(found: dict[str, Any], fps: float | None) -> Timing:
    if found["kind"] != KIND or found["version"] != VERSION:
        raise ValueError("another kind or version")
    frames, time_s = np.asarray(found["frames"]), np.asarray(found["time_s"], np.float64)
    rate = fps or float(found["frame_rate"])
    whole = frames.ndim == time_s.ndim == 1 and frames.dtype.kind == "i" and 0 < len(frames) <= len(time_s)
    if not whole or frames[0] < 0 or frames[-1] >= len(time_s) or (np.diff(frames) <= 0).any():
        raise ValueError("its frames do not rise")
    if not (np.isfinite(time_s).all() and (np.diff(time_s) >= 0).all() and 0 < rate <= FASTEST):
        raise ValueError("its times fall")
    if type(found["simulated"]) is not bool:
        raise ValueError("simulated is neither true nor false")
    times = np.arange(len(time_s)) / fps if fps else time_s
    return Timing(frames, len(time_s), times, rate, found["simulated"])
