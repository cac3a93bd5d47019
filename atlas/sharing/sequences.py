"""What of a recording's frames leaves: at the level motion its expression and jaw, at the level full its parameters.

Motion: shape, gaze, neck, head pose and place, camera and picture size are replaced by those of nobody in particular;
frame rates are whole numbers and times are counted from the first frame in even steps, so that neither the clock nor
the camera's own rhythm is in it. The head's turning goes too: it shows posture and where the camera stood.
At both levels the reasons why frames were left out become one, and nothing of the provenance is left but the stage of
reconstruction.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from atlas.aggregation import summarise
from atlas.biomarkers.recording import window
from atlas.motion import MotionSpace
from reconstruction.camera import default_camera_matrix
from reconstruction.sequence import FaceSequence

SIDE = 512  # pixels of a picture that never was
REASONS = ("ok", "left out")
STAGES = ("full", "fast", "simulated")


def motion_only(sequence: FaceSequence) -> FaceSequence:
    """Expression and jaw at a whole frame rate."""
    rate = max(1, round(sequence.frame_rate))
    expression, pose, valid = _evenly(sequence, float(rate))
    jaw = sequence.joint_names.index("jaw") if "jaw" in sequence.joint_names else None
    kept = np.zeros_like(pose)
    if jaw is not None:
        kept[:, jaw] = pose[:, jaw]
    n = len(valid)
    return replace(
        traceless(sequence),
        shape=np.zeros_like(sequence.shape),
        shape_sd=np.zeros_like(sequence.shape_sd),
        expression=expression,
        expression_sd=np.zeros_like(sequence.expression_sd),
        pose=kept,
        translation=np.zeros((n, 3), np.float32),
        camera_matrix=default_camera_matrix(SIDE, SIDE).astype(np.float32),
        image_size=(SIDE, SIDE),
        time_s=np.arange(n) / rate,
        valid=valid,
        quality=valid.astype(np.float32),
        reason=(~valid).astype(np.uint8),
        frame_rate=float(rate),
    )


def traceless(sequence: FaceSequence) -> FaceSequence:
    """The same parameters; times from the first frame, one reason for frames left out, provenance reduced."""
    stage = {"quality": sequence.stage} if sequence.stage in STAGES[:2] else {}
    stage = {"method": "simulated"} if sequence.stage == "simulated" else stage
    start = sequence.time_s[0] if len(sequence) else 0.0
    return replace(
        sequence,
        time_s=sequence.time_s - start,
        reason=(~sequence.valid).astype(np.uint8),
        reason_names=REASONS,
        provenance=stage,
    )


def attack_features(sequence: FaceSequence, space: MotionSpace, units: Sequence[str]) -> np.ndarray:
    """(F,) what an attacker can compute of a sequence as it leaves: shape (the first S), mean, spread and speed of
    every motion coefficient, action units and measures, posture of head and neck, place, focal length. What does not
    leave is the same for everyone.
    """
    posture = sequence.pose[:, :2].reshape(len(sequence), -1)[sequence.valid]
    place = sequence.translation[sequence.valid]
    setting = [posture.mean(0), posture.std(0), place.mean(0), place.std(0), sequence.camera_matrix[[0, 1], [0, 1]]]
    return np.concatenate([sequence.shape, summarise(sequence, None, space, units).features, *setting])


def halves(sequence: FaceSequence) -> tuple[FaceSequence, FaceSequence]:
    """First and second half of a recording."""
    early = np.arange(len(sequence)) < len(sequence) // 2
    return window(sequence, early), window(sequence, ~early)


def _evenly(sequence: FaceSequence, rate: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Expression (T, E), pose (T, J, 3) and valid (T,) in even steps from the first frame, interpolated between the two
    frames around a time; valid where both are, and no further apart than one and a half steps.
    """
    time = sequence.time_s - sequence.time_s[0]
    wanted = np.arange(int(np.floor(time[-1] * rate + 1e-6)) + 1) / rate
    after = np.clip(np.searchsorted(time, wanted - 1e-9), 0, len(time) - 1)
    exact = np.abs(time[after] - wanted) < 1e-6
    before = np.where(exact, after, np.maximum(after - 1, 0))
    span = time[after] - time[before]
    share = np.where(span > 0, (wanted - time[before]) / np.where(span > 0, span, 1), 0).astype(np.float32)
    valid = sequence.valid[before] & sequence.valid[after] & (span <= 1.5 / min(rate, sequence.frame_rate))

    def between(values: np.ndarray) -> np.ndarray:
        weight = share.reshape(-1, *[1] * (values.ndim - 1))
        mixed = (1 - weight) * values[before] + weight * values[after]
        return np.where(valid.reshape(weight.shape), mixed, 0).astype(np.float32)

    return between(sequence.expression), between(sequence.pose), valid
