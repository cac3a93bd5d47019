"""How far the skin's offsets can be trusted, place by place: learnt from films of people with known motion."""

from collections.abc import Iterable

import numpy as np
import torch

from reconstruction.appearance import FINEST, Follower, key_frames
from reconstruction.calibration import Calibration
from reconstruction.camera import project
from reconstruction.films import Film
from reconstruction.fitting import fit_points
from reconstruction.image_features import image_features
from reconstruction.template import Template
from reconstruction.texture import COLUMNS, ROWS

RATE = 8.0  # frames a second of a film, so that its frames count as evidence of the identity as a recording's do
NEAR = 0.0036  # metres; how true an offset is where the mesh lies farther off tells little of where it lies near
UNSEEN = 0.01  # metres, where no film shows the skin
FEWEST = 20  # frames that show a place
_MEDIAN = 1.177  # of the length of a plane vector with independent normal parts of deviation 1


def skin_distances(template: Template, calibration: Calibration, films: Iterable[Film]) -> np.ndarray:
    """(T, ROWS * COLUMNS) metres, of all frames of the films: how far the skin, as offsets have it, lies off the true
    one in every window; NaN where it is not seen.

    What a place is off by in all frames of a person is left out: the reference texture lies where it lies.
    """
    none = np.zeros((0, ROWS * COLUMNS))
    return np.concatenate([none, *(_apart(template, calibration, film) for film in films if film.found.sum() > 2)])


def skin_sd(distances: np.ndarray) -> np.ndarray:
    """(ROWS, COLUMNS) metres, of `skin_distances`: by the median, because a share of the offsets is wild and is met by
    robust weights.
    """
    sd = np.full(distances.shape[1], UNSEEN)
    shown = np.isfinite(distances).sum(0) >= FEWEST
    sd[shown] = np.nanmedian(distances[:, shown], axis=0) / _MEDIAN
    return sd.reshape(ROWS, COLUMNS)


def _apart(template: Template, calibration: Calibration, film: Film) -> np.ndarray:
    """Distance (T, ROWS * COLUMNS), metres at the head's depth, NaN where it is not seen, once the mesh lies well."""
    height, width = film.greys[0].shape
    full = calibration.at("full")
    fit = fit_points(
        template, full, film.points, image_features(film.crops[film.found], looks=full.looks), film.found,
        np.ones(len(film.points)), RATE, (width, height),
    )  # fmt: skip
    greys = [film.greys[i] for i in fit.frames]
    follower = Follower(template, fit)
    key = key_frames(len(greys))
    skin = follower.reference([greys[i] for i in key], key)
    motion, view = follower.correct(greys, np.arange(len(greys)), skin)
    look = follower.canvas.look(follower.canvas.pictures(greys), motion, view, FINEST)
    offset, _, seen = (found.numpy() for found in follower.offsets(look, skin))
    here = look.pixels.reshape(len(greys), -1, 2)[:, follower.samples]
    with torch.no_grad():
        true = follower.points.points(torch.tensor(film.shape).float(), torch.tensor(film.motion[fit.frames]).float())
    error = np.full(here.shape, np.nan)
    for t, i in enumerate(fit.frames):
        pose = film.camera_from_head[i]
        scale = pose[2, 3] / film.camera_matrix[0, 0]
        there = project(true[t].numpy(), film.camera_matrix, pose)
        near = seen[t] & (np.linalg.norm(there - here[t], axis=1) * scale < NEAR)
        error[t, near] = (here[t] + offset[t] - there)[near] * scale
    shown = np.isfinite(error[..., 0]).sum(0) > 1
    error[:, ~shown] = np.nan
    error[:, shown] -= np.nanmedian(error[:, shown], axis=0)
    out = np.full((len(greys), ROWS * COLUMNS), np.nan)
    out[:, follower.samples] = np.linalg.norm(error, axis=2)
    return out
