"""Films of people with known motion, reconstructed as a recording is: what `Reliability` rests on."""

from collections.abc import Iterable

import numpy as np

from reconstruction.appearance import follow_skin
from reconstruction.calibration import Calibration
from reconstruction.films import Film
from reconstruction.fitting import fit_points, to_tracks
from reconstruction.image_features import image_features
from reconstruction.motion import pose_to_motion
from reconstruction.reliability import RATE, Reliability
from reconstruction.template import Template

PEOPLE, FRAMES = 60, 40  # filmed, and frames of each


def try_films(template: Template, calibration: Calibration, films: Iterable[Film], first: int = 0) -> Reliability:
    """Reconstruct films in both stages; those in which the detector finds fewer than two faces are left out.

    first : number of the first film's person
    """
    parts = []
    for person, film in enumerate(films, first):
        if film.found.sum() < 2:
            continue
        time_s = np.arange(len(film.points)) / RATE
        size = (film.greys[0].shape[1], film.greys[0].shape[0])
        once, twice = (
            fit_points(
                template, c, film.points, image_features(film.crops[film.found], looks=c.looks), film.found,
                np.ones(len(time_s)), RATE, size,
            )
            for c in (calibration, calibration.at("full"))
        )  # fmt: skip
        curves = [to_tracks(template, stage, time_s, RATE) for stage in (once, follow_skin(film, template, twice))]
        both = np.intersect1d(once.frames, twice.frames)
        fast, full = (pose_to_motion(template, c.expression, c.pose)[both] for c in curves)
        parts.append(Reliability(film.motion[both], fast, full, np.full(len(both), person)))
    if not parts:
        none = np.zeros((0, len(calibration.motion_mean)))
        return Reliability(none, none, none, np.zeros(0, int))
    return Reliability.join(parts)
