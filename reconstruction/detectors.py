"""Which detector finds the points: MediaPipe's bundled face mesh, or a Face Landmarker's file.

Detectors place the same points a little differently, so a calibration belongs to a template and a detector.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reconstruction.errors import InputError
from reconstruction.face_landmarker import FaceLandmarker, check_bundle
from reconstruction.landmarks import Detector, FaceMesh


@dataclass(frozen=True)
class DetectorChoice:
    """A detector by name and content; can be sent to another process.

    name : what calibrations and provenance call it
    path, sha256 : its file, None for the bundled one
    """

    name: str
    path: Path | None = None
    sha256: str | None = None

    def open(self, tracking: bool = True, max_faces: int = 1, min_confidence: float = 0.5) -> Detector:
        """A fresh detector; see `FaceMesh`."""
        if self.path is None:
            return FaceMesh(tracking, max_faces, min_confidence)
        return FaceLandmarker(self.path, tracking, max_faces, min_confidence)

    @property
    def provenance(self) -> dict[str, str]:
        """As calibrations and parameter files record it."""
        return {"detector": self.name} | ({"detector_sha256": self.sha256} if self.sha256 else {})

    def check(self, provenance: dict[str, Any], template: str) -> None:
        """Raise InputError unless a calibration of that provenance was learnt with this detector."""
        own = (provenance.get("detector"), provenance.get("detector_sha256"))
        if own == (self.name, self.sha256):
            return
        wanted, found = (f"{name} ({sha[:8]})" if sha else str(name) for name, sha in ((self.name, self.sha256), own))
        option = f" --detector {self.path}" if self.path else ""
        raise InputError(
            f"expected a calibration of template {template} for the detector {wanted}, but it was learnt with {found}; "
            f"run 'face-atlas template calibrate {template}{option} --out FILE' and pass that file with --calibration."
        )


BUNDLED = DetectorChoice("mediapipe-0.10.21-facemesh")


def choose_detector(path: str | Path | None = None) -> DetectorChoice:
    """The bundled detector, or the Face Landmarker in a ``.task`` file.

    Raises
    ------
    InputError
        The file is missing or no Face Landmarker.
    """
    if path is None:
        return BUNDLED
    path = Path(path)
    check_bundle(path)
    return DetectorChoice("mediapipe-face-landmarker", path, hashlib.sha256(path.read_bytes()).hexdigest())
