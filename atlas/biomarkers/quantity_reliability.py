"""Reliability of biomarkers: every quantity of the calibration's films, from true and from recovered motion.

The calibration keeps the true and the recovered motion of films of simulated people (`reconstruction.reliability`).
Both are measured here as any recording is, and a quantity's reliability is the correlation over people of the two: how
well a recording's number tells one person from another. (`reliability` gives the correlation over a person's frames.)

The films have no head pose in them, no blinks at a natural rate, and too few frames a second for tremor: those
quantities have no figure.
"""

import numpy as np

from atlas.biomarkers.recording import FaceParts, face_parts, recording_biomarkers
from reconstruction.calibration import load_calibration
from reconstruction.camera import default_camera_matrix
from reconstruction.errors import InputError
from reconstruction.motion import motion_to_pose
from reconstruction.reliability import RATE, STAGES, Reliability
from reconstruction.sequence import FaceSequence
from reconstruction.template import Template

FEWEST = 10  # people whose films know a quantity, below which there is no correlation
_NOT_IN_FILMS = ("head_", "gaze_speed", "blink_", "ear_blink_", "tremor_")


def quantity_reliability(template: Template, stage: str, parts: FaceParts | None = None) -> dict[str, float]:
    """{quantity: correlation over people with the truth}; NaN where there is no figure.

    stage : of `FaceSequence.stage`; only `fast` and `full`, which start from pictures, have figures
    parts : `face_parts` of the template, where they are made already
    """
    parts = face_parts(template) if parts is None else parts
    unknown = dict.fromkeys(parts.names, float("nan"))
    try:
        measured = load_calibration(template).measured
    except InputError:
        return unknown
    if measured is None or stage not in STAGES:
        return unknown
    true, found = (
        film_biomarkers(motion, measured, template, parts) for motion in (measured.true, getattr(measured, stage))
    )
    return {
        name: float("nan") if name.startswith(_NOT_IN_FILMS) else _correlation(true[:, i], found[:, i])
        for i, name in enumerate(parts.names)
    }


def film_biomarkers(motion: np.ndarray, measured: Reliability, template: Template, parts: FaceParts) -> np.ndarray:
    """(P, Q) biomarkers of the films' people for motion (N, M), true or recovered."""
    people = (motion[measured.person == person] for person in np.unique(measured.person))
    return np.array([recording_biomarkers(_film(one, template), parts) for one in people])


def _film(motion: np.ndarray, template: Template) -> FaceSequence:
    """A film's motion (T, M) as a sequence of the mean head."""
    frames, shapes, expressions = len(motion), template.n_shape, template.n_expression
    return FaceSequence(
        template=template.name,
        template_sha256=template.sha256,
        expression_names=template.expression_names,
        joint_names=template.joint_names,
        shape=np.zeros(shapes, np.float32),
        shape_sd=np.zeros(shapes, np.float32),
        expression=motion[:, :expressions].astype(np.float32),
        expression_sd=np.zeros(expressions, np.float32),
        pose=motion_to_pose(template, motion),
        translation=np.zeros((frames, 3), np.float32),
        camera_matrix=default_camera_matrix(1, 1).astype(np.float32),
        image_size=(1, 1),
        time_s=np.arange(frames) / RATE,
        valid=np.ones(frames, bool),
        quality=np.ones(frames, np.float32),
        reason=np.zeros(frames, np.uint8),
        reason_names=("ok",),
        frame_rate=RATE,
        simulated=True,
    )


def _correlation(true: np.ndarray, found: np.ndarray) -> float:
    known = np.isfinite(true) & np.isfinite(found)
    t, f = true[known], found[known]
    if known.sum() < FEWEST or not (np.ptp(t) > 0 and np.ptp(f) > 0):
        return float("nan")
    return float(np.corrcoef(t, f)[0, 1])
