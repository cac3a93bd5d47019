"""Which frames to trust, and why not.

A frame is left out for the first reason of `REASONS` that applies (the last is given by the fit); what is left gets a
weight from 0 to 1. Every limit is a named constant below, chosen on recordings of real people: a sharp, frontal webcam
face has to pass whole.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np

from reconstruction.landmarks import Detection

REASONS = (
    "ok", "no face", "low confidence", "too small", "cut off", "extreme pose", "exposure", "blurred", "pose not solved",
)  # fmt: skip

MIN_CONFIDENCE = (0.5, 0.9)  # (left out below, full weight from), of the detector's confidence
MIN_INTEROCULAR = (24.0, 60.0)  # pixels between the outer eye corners
MAX_OUTSIDE = (0.08, 0.0)  # share of the 478 points outside the picture
MAX_YAW = (np.deg2rad(60), np.deg2rad(30))
MAX_PITCH = (np.deg2rad(50), np.deg2rad(30))
BRIGHTNESS = (20.0, 60.0, 200.0, 245.0)  # mean grey of the face: left out below, full from, full to, left out above
MIN_CONTRAST = (6.0, 15.0)  # standard deviation of grey in the face
MIN_SHARPNESS = (0.010, 0.026)  # see `sharpness`
CROP = 128  # pixels, side of the face crop that exposure and sharpness are measured on
_PITCH_AT_REST = -0.12  # radians; measured: -0.07 on two recordings of people, -0.19 on a rendered mean face


@dataclass(frozen=True)
class Verdict:
    """What a frame is worth.

    reason : one of `REASONS`; 'ok' for a frame to use
    quality : 0 to 1, the frame's weight: the product of one ramp per measure; 0 where the frame is left out
    measures : what was measured, by name
    """

    reason: str
    quality: float
    measures: dict[str, float]

    @property
    def valid(self) -> bool:
        return self.reason == "ok"

    @property
    def code(self) -> int:
        """Index of the reason in `REASONS`."""
        return REASONS.index(self.reason)


def head_angles(points: np.ndarray) -> tuple[float, float]:
    """Yaw and pitch of the head, radians, from the 478 points alone, good to a few degrees.

    Yaw is the angle of the line through the outer eye corners out of the image plane, positive to the subject's left;
    pitch that of the line from the forehead's top to below the nose, positive downwards.
    """
    across = points[263] - points[33]
    down = points[2] - points[10]
    yaw = np.arctan2(across[2], np.hypot(across[0], across[1]))
    pitch = np.arctan2(down[2], np.hypot(down[0], down[1])) - _PITCH_AT_REST
    return float(yaw), float(pitch)


def sharpness(grey: np.ndarray) -> float:
    """Share of a face crop's contrast that lies in fine detail: std(Laplacian) / 8 / std(grey), without unit.

    8 makes it 1 for a one-pixel checkerboard (the Laplacian of such a picture is 8 times it). Sharp recordings of faces
    have 0.035 to 0.06; blurred by a Gaussian of 1 % of the inter-ocular distance 0.02 to 0.035, of 3 % about 0.01.
    """
    picture = grey.astype(np.float32)
    return float(cv2.Laplacian(picture, cv2.CV_32F).std()) / 8 / max(float(picture.std()), 1e-3)


def judge(rgb: np.ndarray, detection: Detection | None) -> Verdict:
    """Judge one frame (H, W, 3) uint8 with its face, or None where none was found."""
    if detection is None:
        return Verdict("no face", 0.0, {})
    height, width = rgb.shape[:2]
    x, y = detection.points[:, 0], detection.points[:, 1]
    outside = float(((x < 0) | (y < 0) | (x >= width) | (y >= height)).mean())
    yaw, pitch = head_angles(detection.points)
    measures = {
        "confidence": detection.confidence,
        "interocular": detection.interocular,
        "outside": outside,
        "yaw": yaw,
        "pitch": pitch,
    }
    grey = _face_crop(rgb, detection)
    if grey is not None:
        measures |= {"brightness": float(grey.mean()), "contrast": float(grey.std()), "sharpness": sharpness(grey)}
    brightness, contrast = measures.get("brightness", 0.0), measures.get("contrast", 0.0)
    dark, dim, bright, white = BRIGHTNESS
    weights = {
        "low confidence": _ramp(detection.confidence, *MIN_CONFIDENCE),
        # turned heads bring the eyes together in the picture without being farther away
        "too small": _ramp(detection.interocular / max(np.cos(yaw), 0.3), *MIN_INTEROCULAR),
        "cut off": _ramp(outside, *MAX_OUTSIDE),
        "extreme pose": _ramp(abs(yaw), *MAX_YAW) * _ramp(abs(pitch), *MAX_PITCH),
        "exposure": _ramp(brightness, dark, dim) * _ramp(brightness, white, bright) * _ramp(contrast, *MIN_CONTRAST),
        "blurred": _ramp(measures.get("sharpness", 0.0), *MIN_SHARPNESS),
    }
    for reason, weight in weights.items():
        if weight <= 0:
            return Verdict(reason, 0.0, measures)
    return Verdict("ok", float(np.prod(list(weights.values()))), measures)


def count_reasons(verdicts: Iterable[Verdict]) -> dict[str, int]:
    """How many frames of a recording have each reason, in the order of `REASONS`, those with none left out."""
    counts = Counter(verdict.reason for verdict in verdicts)
    return {reason: counts[reason] for reason in REASONS if counts[reason]}


def _ramp(value: float, zero: float, one: float) -> float:
    """0 at or beyond `zero`, 1 at or beyond `one`, a straight line between; `zero` may be the larger."""
    return float(np.clip((value - zero) / (one - zero), 0, 1))


def _face_crop(rgb: np.ndarray, detection: Detection) -> np.ndarray | None:
    """The face in grey, `CROP` pixels wide and high, or None where it lies outside the picture."""
    height, width = rgb.shape[:2]
    x0, y0, x1, y1 = detection.box
    left, top, right, bottom = max(0, int(x0)), max(0, int(y0)), min(width, int(x1) + 1), min(height, int(y1) + 1)
    if right - left < 8 or bottom - top < 8:
        return None
    grey = cv2.cvtColor(np.ascontiguousarray(rgb[top:bottom, left:right]), cv2.COLOR_RGB2GRAY)
    shrink = max(right - left, bottom - top) > CROP
    return cv2.resize(grey, (CROP, CROP), interpolation=cv2.INTER_AREA if shrink else cv2.INTER_LINEAR)
