"""Which frames to trust, and why not.

A frame is left out for the first reason of `REASONS` that applies; what is left gets a weight from 0 to 1. `judge`
looks at one frame; 'other face' is given by the tracking of several people, 'occluded' also by `occlusion`, which knows
the whole recording, and the last by the fit. Every limit is a named constant below, chosen on recordings of real
people: a sharp, frontal webcam face has to pass whole.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from reconstruction.landmarks import Detection
from reconstruction.occlusion import is_masked, sample

REASONS = (
    "ok", "no face", "other face", "low confidence", "too small", "cut off", "extreme pose", "too dark", "too bright",
    "blurred", "occluded", "pose not solved",
)  # fmt: skip

MIN_CONFIDENCE = (0.5, 0.9)  # (left out below, full weight from), of the detector's confidence
MIN_INTEROCULAR = (24.0, 60.0)  # pixels between the outer eye corners
MAX_OUTSIDE = (0.08, 0.0)  # share of the 478 points outside the picture
MAX_YAW = (np.deg2rad(60), np.deg2rad(30))
MAX_PITCH = (np.deg2rad(50), np.deg2rad(30))
BRIGHTNESS = (20.0, 60.0, 200.0, 245.0)  # mean grey of the face: left out below, full from, full to, left out above
BURNT = 250  # grey
MAX_CLIPPED = (0.4, 0.15)  # share of the face that is burnt out; a shining forehead in the sun is a twentieth
MIN_CONTRAST = (6.0, 15.0)  # standard deviation of grey in the face; less is night or fog and glare
MIN_SHARPNESS = (0.010, 0.026)  # see `sharpness`
CROP = 128  # pixels, side of the face crop that exposure and sharpness are measured on
_PITCH_AT_REST = -0.12  # radians; measured: -0.07 on two recordings of people, -0.19 on a rendered mean face


@dataclass(frozen=True)
class Verdict:
    """What a frame is worth.

    reason : one of `REASONS`; 'ok' for a frame to use
    quality : 0 to 1, the frame's weight: the product of one ramp per measure; 0 where the frame is left out
    measures : what was measured, by name
    colours : (N, 3) uint8 for `occlusion`, where there is a face
    """

    reason: str
    quality: float
    measures: dict[str, float]
    colours: np.ndarray | None = None

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
    fine, all_of_it = (cv2.meanStdDev(x)[1][0, 0] for x in (cv2.Laplacian(grey, cv2.CV_16S), grey))
    return float(fine) / 8 / max(float(all_of_it), 1e-3)


def judge(rgb: np.ndarray, detection: Detection | None) -> Verdict:
    """Judge one frame (H, W, 3) uint8 with its face, or None where none was found."""
    if detection is None:
        return Verdict("no face", 0.0, {})
    height, width = rgb.shape[:2]
    x, y = detection.points[:, 0], detection.points[:, 1]
    outside = float(((x < 0) | (y < 0) | (x >= width) | (y >= height)).mean())
    yaw, pitch = head_angles(detection.points)
    interocular = detection.interocular
    measures = {
        "confidence": detection.confidence,
        "interocular": interocular,
        "outside": outside,
        "yaw": yaw,
        "pitch": pitch,
    }
    colours, masked = None, False
    crop, points = _face_crop(rgb, detection)
    if crop is not None:
        shrink = max(crop.shape) > CROP
        grey = cv2.resize(
            cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), (CROP, CROP),
            interpolation=cv2.INTER_AREA if shrink else cv2.INTER_LINEAR,
        )  # fmt: skip
        brightness, contrast = (float(value[0, 0]) for value in cv2.meanStdDev(grey))
        clipped = np.count_nonzero(grey >= BURNT) / grey.size
        measures |= {
            "brightness": brightness, "contrast": contrast, "clipped": clipped, "sharpness": sharpness(grey),
        }  # fmt: skip
        colours = sample(crop, points)
        masked = is_masked(colours)
    brightness, flat = measures.get("brightness", 0.0), _ramp(measures.get("contrast", 0.0), *MIN_CONTRAST)
    dark, dim, bright, white = BRIGHTNESS
    weights = {
        "low confidence": _ramp(detection.confidence, *MIN_CONFIDENCE),
        # turned heads bring the eyes together in the picture without being farther away
        "too small": _ramp(interocular / max(math.cos(yaw), 0.3), *MIN_INTEROCULAR),
        "cut off": _ramp(outside, *MAX_OUTSIDE),
        "extreme pose": _ramp(abs(yaw), *MAX_YAW) * _ramp(abs(pitch), *MAX_PITCH),
        "too dark": _ramp(brightness, dark, dim) * (flat if brightness < 128 else 1),
        "too bright": _ramp(brightness, white, bright)
        * _ramp(measures.get("clipped", 0.0), *MAX_CLIPPED)
        * (flat if brightness >= 128 else 1),
        "blurred": _ramp(measures.get("sharpness", 0.0), *MIN_SHARPNESS),
        "occluded": float(not masked),
    }
    for reason, weight in weights.items():
        if weight <= 0:
            return Verdict(reason, 0.0, measures, colours)
    return Verdict("ok", float(math.prod(weights.values())), measures, colours)


def count_reasons(codes: np.ndarray) -> dict[str, int]:
    """How many frames (T,) have each reason, in the order of `REASONS`, those with none left out."""
    counts = np.bincount(codes, minlength=len(REASONS))
    return {reason: int(count) for reason, count in zip(REASONS, counts, strict=True) if count}


def _ramp(value: float, zero: float, one: float) -> float:
    """0 at or beyond `zero`, 1 at or beyond `one`, a straight line between; `zero` may be the larger."""
    return min(max((value - zero) / (one - zero), 0.0), 1.0)


def _face_crop(rgb: np.ndarray, detection: Detection) -> tuple[np.ndarray | None, np.ndarray]:
    """The face (H, W, 3), None where it lies outside the picture, and its points (478, 2), pixels of the crop."""
    height, width = rgb.shape[:2]
    x0, y0, x1, y1 = detection.box
    left, top, right, bottom = max(0, int(x0)), max(0, int(y0)), min(width, int(x1) + 1), min(height, int(y1) + 1)
    if right - left < 8 or bottom - top < 8:
        return None, detection.points[:, :2]
    return rgb[top:bottom, left:right], detection.points[:, :2] - (left, top)
