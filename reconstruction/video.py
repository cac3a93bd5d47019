"""A recording as timed RGB frames, streamed: one frame is held at a time."""

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from reconstruction.errors import InputError
from reconstruction.quiet import quiet_stderr

# Decoders write to stderr as they please; what matters is said in an InputError. Read by OpenCV when it first decodes.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")

import cv2

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")
VIDEO_SUFFIXES = (".mp4", ".mov", ".m4v", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv", ".ogv")
_PLAUSIBLE_RATE = (0.5, 480.0)  # frames per second; some containers claim 1,000 or 90,000
_COMPLETE = 0.9  # a recording of which less can be decoded is called truncated


@dataclass(frozen=True)
class Video:
    """A recording that can be iterated, again and again, as ``(index, time_s, rgb)``.

    index : number of the frame in the file, from 0
    time_s : seconds since the first frame, from the container's time stamps; ``index / frame rate`` where those do not
        rise
    rgb : (H, W, 3) uint8, upright: rotation stored in the file is applied

    path : the file
    frame_rate : frames per second that iteration gives; 1 for a still image
    native_rate : frames per second of the file
    size : (width, height) pixels, upright
    count : how many frames iteration gives, an estimate from the container's header
    """

    path: Path
    frame_rate: float
    native_rate: float
    size: tuple[int, int]
    count: int

    def __iter__(self) -> Iterator[tuple[int, float, np.ndarray]]:
        """Decode.

        Raises
        ------
        InputError
            The file ends early: less than nine tenths of the frames its header names can be decoded.
        """
        if self.path.suffix.lower() in IMAGE_SUFFIXES:
            yield 0, 0.0, _read_image(self.path)
            return
        capture = _open(self.path)
        try:
            announced = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
            step = 1 / self.frame_rate
            tolerance = 0.5 / self.native_rate
            index, start, time, wanted = 0, math.nan, 0.0, 0.0
            while capture.grab():
                stamp = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
                if index == 0:
                    start, time = stamp, 0.0
                else:
                    time = stamp - start if stamp - start > time else time + 1 / self.native_rate
                # the first frame that is not more than half a frame early for the next point of the time grid
                if time >= wanted - tolerance:
                    ok, bgr = capture.retrieve()
                    if ok:
                        yield index, time, cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
                    wanted = max(wanted + step, math.floor(time / step + 0.5) * step) if step > tolerance * 2 else time
                index += 1
            seconds = announced / self.native_rate
            if index < _COMPLETE * announced and time + 1 / self.native_rate < _COMPLETE * seconds:
                raise InputError(
                    f"expected {announced} frames in {self.path}, but the file ends after {index}; copy it again whole "
                    "or cut it to its readable part."
                )
        finally:
            capture.release()


def open_video(path: str | Path, fps: str | float = "native") -> Video:
    """Open a video or a still image.

    fps : ``native`` for every frame, or frames per second to take: frames are left out, never repeated or blended, so
        that a rate above the file's gives every frame.

    Raises
    ------
    InputError
        The path is missing, a folder, empty, or nothing that holds a decodable picture; or `fps` is no positive number.
    """
    rate = _parse_rate(fps)
    path = Path(path)
    if not path.exists():
        raise InputError(f"expected a video file, but {path} does not exist; check the path.")
    if path.is_dir():
        raise InputError(f"expected a video file, but {path} is a folder; name the files in it.")
    if path.stat().st_size == 0:
        raise InputError(f"expected a video file, but {path} is empty (0 bytes); copy it again.")
    if path.suffix.lower() in IMAGE_SUFFIXES:
        height, width = _read_image(path).shape[:2]
        return Video(path, 1.0, 1.0, (width, height), 1)

    capture = _open(path)
    try:
        with quiet_stderr():
            ok, first = capture.read()
        if not ok or first is None:
            raise InputError(
                f"expected a video, but no frame of {path} can be decoded; convert it to H.264 in an .mp4 file, or "
                "copy it again."
            )
        height, width = first.shape[:2]
        announced = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        native = _native_rate(capture)
    finally:
        capture.release()
    taken = native if rate is None else min(rate, native)
    count = max(1, round(announced * taken / native)) if announced > 0 else 1
    return Video(path, taken, native, (width, height), count)


def _parse_rate(fps: str | float) -> float | None:
    """None for every frame."""
    if fps == "native":
        return None
    try:
        rate = float(fps)
    except ValueError:
        rate = math.nan
    if not (math.isfinite(rate) and rate > 0):
        raise InputError(f"expected fps 'native' or a positive number, got {fps!r}; leave it out to use every frame.")
    return rate


def _open(path: Path) -> cv2.VideoCapture:
    with quiet_stderr():
        capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    if not capture.isOpened():
        raise InputError(
            f"expected a video, but {path} is none that can be decoded (damaged, cut off or another kind of file); "
            "play it in a video player to check, and convert it to H.264 in an .mp4 file."
        )
    capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)
    return capture


def _native_rate(capture: cv2.VideoCapture) -> float:
    """The header's frame rate, or where that is implausible the median rate of the next frames; `capture` moves on."""
    rate = float(capture.get(cv2.CAP_PROP_FPS))
    low, high = _PLAUSIBLE_RATE
    if low <= rate <= high:
        return rate
    stamps = [capture.get(cv2.CAP_PROP_POS_MSEC)]
    while len(stamps) < 60 and capture.grab():
        stamps.append(capture.get(cv2.CAP_PROP_POS_MSEC))
    steps = np.diff(stamps)
    steps = steps[steps > 0]
    return float(np.clip(1000 / np.median(steps), low, high)) if len(steps) else 25.0


def _read_image(path: Path) -> np.ndarray:
    with quiet_stderr():
        bgr = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if bgr is None:
        raise InputError(
            f"expected a picture, but {path} is none that can be decoded; open it in an image viewer to check."
        )
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
