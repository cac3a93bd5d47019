"""How a recording was taken: what of camera, length and quality can make two recordings of one person differ."""

from dataclasses import dataclass

import numpy as np

from reconstruction.sequence import FaceSequence

FACE_M = 0.14  # width of a face, metres: turns distance and focal length into pixels


@dataclass(frozen=True)
class Capture:
    """One recording.

    frame_rate : frames a second
    field_of_view : degrees along the longer side of the picture
    face_px : width of a face of `FACE_M` at the head's median distance, pixels
    seconds : of frames used
    used : share of frames used, 0 to 1
    quality : mean weight of the frames used, 0 to 1
    verdict : of `RecordingVerdict`; template_sha256 : the template of the parameters
    """

    frame_rate: float
    field_of_view: float
    face_px: float
    seconds: float
    used: float
    quality: float
    verdict: str
    template_sha256: str


def capture_of(sequence: FaceSequence) -> Capture:
    """How `sequence` was taken."""
    verdict = sequence.verdict
    focal = float(sequence.camera_matrix[0, 0])
    distance = np.median(sequence.translation[sequence.valid, 2]) if sequence.valid.any() else np.nan
    return Capture(
        frame_rate=float(sequence.frame_rate),
        field_of_view=float(np.degrees(2 * np.arctan(max(sequence.image_size) / 2 / focal))) if focal > 0 else np.nan,
        face_px=float(focal * FACE_M / distance) if distance > 0 else np.nan,
        seconds=verdict.seconds_used,
        used=verdict.used,
        quality=verdict.mean_quality,
        verdict=verdict.verdict,
        template_sha256=sequence.template_sha256,
    )
