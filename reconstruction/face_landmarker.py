"""MediaPipe's Face Landmarker (Tasks API) as a second detector, for those who have its ``.task`` file.

The same 478 points from a later network; the file is Google's and not shipped.
"""

import os
import zipfile
from pathlib import Path
from typing import Any, Self

import numpy as np

from reconstruction.errors import InputError
from reconstruction.landmarks import N_POINTS, Detection, largest_first, to_detection
from reconstruction.quiet import quiet_stderr

_NETWORKS = {"face_detector.tflite", "face_landmarks_detector.tflite"}
_LARGEST = 64 * 2**20  # bytes; Google's bundle has 3.8 million
_STEP_MS = 1_000_000  # between frames, as the graph is told: its smoothing filter, which lags, then lets all through
_REMEDY = "download face_landmarker.task from MediaPipe's Face Landmarker page, or leave --detector out."


class FaceLandmarker:
    """A ``.task`` file as a `Detector`.

    The network keeps its presence score to itself, so that the confidence of a face it reports is given as 1.

    Parameters
    ----------
    tracking, max_faces, min_confidence : as `FaceMesh`

    Raises
    ------
    InputError
        The file is missing or no Face Landmarker.
    """

    def __init__(self, path: Path, tracking: bool = True, max_faces: int = 1, min_confidence: float = 0.5):
        check_bundle(path)
        os.environ.setdefault("GLOG_minloglevel", "3")
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        with quiet_stderr():
            import mediapipe
            from mediapipe.tasks.python import BaseOptions, vision

            self._mediapipe: Any = mediapipe
            mode = vision.RunningMode.VIDEO if tracking else vision.RunningMode.IMAGE
            options = vision.FaceLandmarkerOptions(
                base_options=BaseOptions(model_asset_buffer=path.read_bytes()),
                running_mode=mode,
                num_faces=max_faces,
                min_face_detection_confidence=min_confidence,
                min_face_presence_confidence=min_confidence,
                min_tracking_confidence=min_confidence,
            )
            try:
                self._task: Any = vision.FaceLandmarker.create_from_options(options)
            except (RuntimeError, ValueError) as error:
                raise _no_landmarker(path, str(error)) from error
        self._path, self._tracking = path, tracking
        self._time = 0
        self._quiet = True

    def _image(self, rgb: np.ndarray) -> Any:
        return self._mediapipe.Image(image_format=self._mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(rgb))

    def detect(self, rgb: np.ndarray) -> list[Detection]:
        """Faces in a frame (H, W, 3) uint8, the largest first."""
        height, width = rgb.shape[:2]
        if self._quiet:
            with quiet_stderr():
                found = self._run(rgb)
            self._quiet = not found
        else:
            found = self._run(rgb)
        if any(len(face) != N_POINTS for face in found):
            raise _no_landmarker(self._path, f"it gives {len(found[0])} points a face, not {N_POINTS}")
        shares = (np.array([(point.x, point.y, point.z) for point in face]) for face in found)
        return largest_first([to_detection(face, 1.0, width, height) for face in shares])

    def _run(self, rgb: np.ndarray) -> list[Any]:
        try:
            if not self._tracking:
                return self._task.detect(self._image(rgb)).face_landmarks
            self._time += _STEP_MS
            return self._task.detect_for_video(self._image(rgb), self._time).face_landmarks
        except (RuntimeError, ValueError) as error:
            raise _no_landmarker(self._path, str(error)) from error

    def close(self) -> None:
        """Free the networks."""
        if self._task is not None:
            self._task.close()
            self._task = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def check_bundle(path: Path) -> None:
    """Raise InputError unless `path` looks like a Face Landmarker's bundle: a small archive that holds its networks."""
    if not path.is_file():
        raise InputError(f"expected a Face Landmarker file, but {path} does not exist; {_REMEDY}")
    if path.stat().st_size > _LARGEST:
        raise _no_landmarker(path, f"it is larger than {_LARGEST // 2**20} MB")
    try:
        with zipfile.ZipFile(path) as bundle:
            members = {item.filename: item for item in bundle.infolist()}
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise _no_landmarker(path, "it is no archive") from error
    missing = sorted(_NETWORKS - members.keys())
    if missing:
        raise _no_landmarker(path, f"it lacks {missing[0]}")
    if any(item.compress_type != zipfile.ZIP_STORED for item in members.values()):
        raise _no_landmarker(path, "it is compressed")


def _no_landmarker(path: Path, why: str) -> InputError:
    reason = " ".join(why.split()).rstrip(".")
    return InputError(f"expected a Face Landmarker file, but {path} is none ({reason}); {_REMEDY}")
