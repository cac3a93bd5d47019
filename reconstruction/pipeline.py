"""Video in, FaceSequence out: decode, detect, judge, choose a person, fit, follow the skin."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from reconstruction import __version__
from reconstruction.appearance import follow_skin
from reconstruction.calibration import Calibration, load_calibration
from reconstruction.camera import given_camera_matrix
from reconstruction.detectors import BUNDLED, DetectorChoice
from reconstruction.errors import InputError
from reconstruction.fitting import fit_points, to_tracks
from reconstruction.image_features import image_features
from reconstruction.quality import REASONS, count_reasons
from reconstruction.sequence import FaceSequence
from reconstruction.template import DEFAULT, Template, load_template
from reconstruction.tracks import find_tracks
from reconstruction.video import open_video

Progress = Callable[[str, int, int], None]
QUALITIES = ("full", "fast")


def reconstruct(
    video: str | Path,
    *,
    template: str | Path | Template = DEFAULT,
    calibration: Calibration | None = None,
    detector: DetectorChoice = BUNDLED,
    fps: str | float = "native",
    face: int | None = None,
    focal_px: float | None = None,
    fov_deg: float | None = None,
    quality: str = "full",
    seed: int = 0,
    simulated: bool = False,
    scratch: Path | None = None,
    progress: Progress | None = None,
) -> FaceSequence:
    """Parameters of one person in a recording.

    template : name, file or loaded template; calibration : the one shipped with it unless given; detector : what the
        calibration was learnt with
    fps : ``native`` or frames per second to take
    face : the largest unless given, else the n-th from the left, from 1; see `Tracks.choose`
    focal_px, fov_deg : focal length in pixels, or horizontal field of view in degrees; estimated where neither is given
    quality : ``full``, or ``fast`` to look at each face once and stop before the stage that follows the skin
    seed : recorded; nothing in this path is random today
    simulated : the recording shows nobody who exists
    scratch : folder for temporary files without a name, 6 kB a frame and face; the system's unless given
    progress : called with (stage, done, total)

    Raises
    ------
    InputError
        The recording cannot be read, no frame of it shows a trustworthy face or none so many faces as `face` says, the
        calibration was learnt with another detector, there is no such camera, or `quality` is unknown.
    """
    check_quality(quality)
    if face is not None and face < 1:
        raise InputError(f"expected a face from 1, counted from the left, got {face}; leave it out for the largest.")
    source = open_video(video, fps)
    camera_matrix = given_camera_matrix(*source.size, focal_px, fov_deg)
    model = template if isinstance(template, Template) else load_template(template)
    calibrated = (calibration or load_calibration(model)).at(quality)
    detector.check(calibrated.provenance, model.name)

    def report(stage: str) -> Callable[[int, int], None]:
        return lambda done, total: progress(stage, done, total) if progress else None

    detecting = report("detecting")
    tracks = find_tracks(source, detector, face is not None, scratch, lambda done: detecting(done, source.count))
    with tracks:
        times = np.frombuffer(tracks.time_s, float).copy()
        shown = np.frombuffer(tracks.shown, np.uint8)
        several = {"most_faces": int(shown.max(initial=0)), "frames_with_several_faces": int((shown > 1).sum())}
        person = tracks.choose(face, Path(video).name)
        valid, weight, reason = person.reason == 0, person.quality, person.reason
        if not valid.any():
            counts = ", ".join(f"{reason}: {count}" for reason, count in count_reasons(reason).items())
            raise InputError(
                f"expected a face in {Path(video).name}, but none of its {len(times)} frames shows a trustworthy one "
                f"({counts}); check that the person faces the camera, near and well lit."
            )
        report("fitting")(0, 1)
        used = np.flatnonzero(valid)
        looked = len(calibrated.feature_mean) > 0
        features = image_features(person.crops, used, calibrated.looks) if looked else np.zeros((len(used), 0))
        fit = fit_points(
            model, calibrated, person.points, features, valid, weight, source.frame_rate, source.size, camera_matrix
        )
        report("fitting")(1, 1)
        if quality == "full":
            fit = follow_skin(source, model, fit, report("following the skin"))
    curves = to_tracks(model, fit, times, source.frame_rate)
    measured = calibrated.measured.error_sd(quality)[: model.n_expression] if calibrated.measured else None
    return FaceSequence(
        template=model.name,
        template_sha256=model.sha256,
        expression_names=model.expression_names,
        joint_names=model.joint_names,
        shape=fit.shape.astype(np.float32),
        shape_sd=np.sqrt(np.diag(np.linalg.inv(fit.shape_precision))).astype(np.float32),
        expression=curves.expression.astype(np.float32),
        expression_sd=(curves.expression_sd if measured is None else measured).astype(np.float32),
        pose=curves.pose.astype(np.float32),
        translation=curves.translation.astype(np.float32),
        camera_matrix=fit.camera_matrix.astype(np.float32),
        image_size=source.size,
        time_s=times,
        valid=curves.valid,
        quality=np.where(curves.valid, weight, np.float32(0)),
        reason=np.where(valid & ~curves.valid, REASONS.index("pose not solved"), reason).astype(np.uint8),
        reason_names=REASONS,
        frame_rate=source.frame_rate,
        simulated=simulated,
        provenance={
            "software": f"digital-face-atlas {__version__}",
            "calibration": calibrated.provenance,
            **detector.provenance,
            "face": face or "largest",
            **several,
            "camera": "estimated" if camera_matrix is None else "given",
            "fps": str(fps),
            "quality": quality,
            "expression_sd": "expected by the regressor" if measured is None else "measured on simulated people",
            "seed": seed,
        },
    )


def check_quality(quality: str) -> None:
    """Raise InputError unless `quality` is one of `QUALITIES`."""
    if quality not in QUALITIES:
        raise InputError(f"expected quality {' or '.join(QUALITIES)}, got {quality!r}; leave it out for the best fit.")
