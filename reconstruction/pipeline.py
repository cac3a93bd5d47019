"""Video in, FaceSequence out: decode, detect, judge, fit, follow the skin."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from reconstruction import __version__
from reconstruction.appearance import follow_skin
from reconstruction.calibration import Calibration, load_calibration
from reconstruction.errors import InputError
from reconstruction.fitting import fit_points, to_tracks
from reconstruction.landmarks import N_POINTS, FaceMesh
from reconstruction.quality import REASONS, count_reasons, judge
from reconstruction.sequence import FaceSequence
from reconstruction.template import DEFAULT, Template, load_template
from reconstruction.video import open_video

Progress = Callable[[str, int, int], None]
QUALITIES = ("full", "fast")


def reconstruct(
    video: str | Path,
    *,
    template: str | Path | Template = DEFAULT,
    calibration: Calibration | None = None,
    fps: str | float = "native",
    quality: str = "full",
    seed: int = 0,
    simulated: bool = False,
    progress: Progress | None = None,
) -> FaceSequence:
    """Parameters of the largest face in a recording.

    template : name, file or loaded template; calibration : the one shipped with it unless given
    fps : ``native`` or frames per second to take
    quality : ``full``, or ``fast`` to stop after the landmarks, without the stage that follows the skin
    seed : recorded; nothing in this path is random today
    simulated : the recording shows nobody who exists
    progress : called with (stage, done, total)

    Raises
    ------
    InputError
        The recording cannot be read, no frame of it shows a trustworthy face, or `quality` is unknown.
    """
    check_quality(quality)
    source = open_video(video, fps)
    model = template if isinstance(template, Template) else load_template(template)
    calibrated = calibration or load_calibration(model)

    points, time_s, verdicts = [], [], []
    with FaceMesh(tracking=True) as detector:
        for _, time, rgb in source:
            faces = detector.detect(rgb)
            face = faces[0] if faces else None
            verdict = judge(rgb, face)
            points.append(face.points if face and verdict.valid else np.zeros((N_POINTS, 3), np.float32))
            time_s.append(time)
            verdicts.append(verdict)
            if progress:
                progress("detecting", len(time_s), source.count)
    valid = np.array([verdict.valid for verdict in verdicts], bool)
    if not valid.any():
        counts = ", ".join(f"{reason}: {count}" for reason, count in count_reasons(verdicts).items())
        raise InputError(
            f"expected a face in {Path(video).name}, but none of its {len(verdicts)} frames shows a trustworthy one "
            f"({counts}); check that the person faces the camera, near and well lit."
        )
    weight = np.array([verdict.quality for verdict in verdicts], np.float32)
    times = np.array(time_s)
    if progress:
        progress("fitting", 0, 1)
    fit = fit_points(model, calibrated, np.array(points), valid, weight, source.frame_rate, source.size)
    if progress:
        progress("fitting", 1, 1)
    if quality == "full":

        def following(done: int, total: int) -> None:
            if progress:
                progress("following the skin", done, total)

        fit = follow_skin(source, model, fit, following)
    tracks = to_tracks(model, fit, times, source.frame_rate)
    return FaceSequence(
        template=model.name,
        template_sha256=model.sha256,
        expression_names=model.expression_names,
        joint_names=model.joint_names,
        shape=fit.shape.astype(np.float32),
        shape_sd=np.sqrt(np.diag(np.linalg.inv(fit.shape_precision))).astype(np.float32),
        expression=tracks.expression.astype(np.float32),
        expression_sd=tracks.expression_sd.astype(np.float32),
        pose=tracks.pose.astype(np.float32),
        translation=tracks.translation.astype(np.float32),
        camera_matrix=fit.camera_matrix.astype(np.float32),
        image_size=source.size,
        time_s=times,
        valid=tracks.valid,
        quality=np.where(tracks.valid, weight, np.float32(0)),
        reason=np.where(
            valid & ~tracks.valid, REASONS.index("pose not solved"), [verdict.code for verdict in verdicts]
        ).astype(np.uint8),
        reason_names=REASONS,
        frame_rate=source.frame_rate,
        simulated=simulated,
        provenance={
            "software": f"digital-face-atlas {__version__}",
            "calibration": calibrated.provenance,
            "fps": str(fps),
            "quality": quality,
            "seed": seed,
        },
    )


def check_quality(quality: str) -> None:
    """Raise InputError unless `quality` is one of `QUALITIES`."""
    if quality not in QUALITIES:
        raise InputError(f"expected quality {' or '.join(QUALITIES)}, got {quality!r}; leave it out for the best fit.")
