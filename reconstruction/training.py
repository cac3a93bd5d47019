"""Learning a calibration: render random people, detect, and keep what the detector's points say about them."""

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from reconstruction.calibration import LOOKED, Calibration, align, pose_features
from reconstruction.camera import project
from reconstruction.detectors import BUNDLED, DetectorChoice
from reconstruction.face_model import FaceModel
from reconstruction.film_trial import FRAMES as TRIAL_FRAMES
from reconstruction.film_trial import PEOPLE as TRIAL_PEOPLE
from reconstruction.film_trial import try_films
from reconstruction.films import film_people
from reconstruction.fitting import Regressor
from reconstruction.image_features import network_name
from reconstruction.photographer import Renders, pose_people, render_people
from reconstruction.processes import process_pool
from reconstruction.reliability import Reliability
from reconstruction.skin_noise import skin_distances, skin_sd
from reconstruction.template import Template
from reconstruction.texture import COLUMNS, ROWS

FILMS = 20  # people who are rendered for one person who is filmed, too
FILM_FRAMES = 16
ROUGH_SKIN_SD = 0.0006  # metres, before it is learnt
CHUNK, FILM_CHUNK = 25, 5  # people photographed, and filmed, by one process with one detector
COMPONENTS = 300  # of the aligned points, at most
_WILD = 0.02  # metres
Progress = Callable[[str, int, int], None]


def calibrate(
    template: Template,
    people: int,
    frames: int,
    seed: int,
    jobs: int = 1,
    progress: Progress | None = None,
    detector: DetectorChoice = BUNDLED,
    trial: int = TRIAL_PEOPLE,
) -> Calibration:
    """Render, detect, learn, try: the calibration of a template and a detector, the same for any number of `jobs`.

    One person in `FILMS` is filmed as well, for `skin_sd`.
    progress : called with (what is done, people done, people in all)
    trial : further people whose films tell the reliability; 0 for none
    """
    show = progress or (lambda stage, done, of: None)
    with process_pool(jobs) as pool:
        photograph = partial(render_people, template)
        parts = _in_chunks(pool, photograph, people, CHUNK, (frames, seed), detector, partial(show, "photograph"))
        renders = Renders.join(parts)
        provenance = {
            **detector.provenance,
            "image_features": network_name(),
            "people": people,
            "frames_each": frames,
            "frames_found": len(renders.person),
            "seed": seed,
        }
        made = learn(template, renders, provenance)
        watch, count = partial(_watch_skin, template, made), max(1, people // FILMS)
        parts = _in_chunks(pool, watch, count, FILM_CHUNK, (FILM_FRAMES, seed + 1), detector, partial(show, "skin"))
        made = replace(made, skin_sd=skin_sd(np.concatenate(parts)))
        tried = partial(_try, template, made)
        parts = _in_chunks(pool, tried, trial, FILM_CHUNK, (TRIAL_FRAMES, seed + 2), detector, partial(show, "trial"))
    measured = Reliability.join(parts) if parts else None
    return replace(made, measured=measured if measured and len(measured.person) else None)


def _in_chunks(
    pool: Executor,
    work: Callable[..., Any],
    people: int,
    chunk: int,
    frames_and_seed: tuple[int, int],
    detector: DetectorChoice,
    progress: Callable[[int, int], None],
) -> list[Any]:
    """What ``work(people, frames, seed, first, detector)`` gives for every chunk of people, in their order."""
    starts = range(0, people, chunk)
    tasks = [pool.submit(work, min(chunk, people - i), *frames_and_seed, i, detector) for i in starts]
    parts = []
    for task in tasks:
        parts.append(task.result())
        progress(min(people, len(parts) * chunk), people)
    return parts


def _watch_skin(template: Template, calibration: Calibration, *filmed: Any) -> np.ndarray:
    return skin_distances(template, calibration, film_people(template, *filmed))


def _try(
    template: Template,
    calibration: Calibration,
    people: int,
    frames: int,
    seed: int,
    first: int,
    detector: DetectorChoice,
) -> Reliability:
    return try_films(template, calibration, film_people(template, people, frames, seed, first, detector), first)


def learn(template: Template, renders: Renders, provenance: dict) -> Calibration:
    """The model from all people, for an image looked at once and, where there are features of it, twice."""
    once = _learn_and_judge(template, renders, provenance)
    if not renders.features.shape[1]:
        return once
    twice = _learn_and_judge(template, renders.looked_at_twice(), provenance)
    return replace(once, twice={name: getattr(twice, name) for name in LOOKED})


def _learn_and_judge(template: Template, renders: Renders, provenance: dict) -> Calibration:
    """The model from all people; reliability from a trial without the last fifth of the people, on that fifth."""
    people = np.unique(renders.person)
    held = np.isin(renders.person, people[-max(1, len(people) // 5) :])
    trial = _learn(template, renders.of(~held), provenance)
    return replace(_learn(template, renders, provenance), **judge(trial, renders.of(held)))


def judge(calibration: Calibration, renders: Renders) -> dict[str, Any]:
    """Correlation and slope of motion within person, correlation of shape over people."""
    regress = Regressor(calibration)
    true_motion, motion, true_shape, shape = [], [], [], []
    for person in np.unique(renders.person):
        here = renders.of(renders.person == person)
        if len(here.person) < 2:
            continue
        fit = regress(here.points, here.features, np.ones(len(here.person)), len(here.person))
        true_motion.append(here.motion - here.motion.mean(0))
        motion.append(fit.motion - fit.motion.mean(0))
        true_shape.append(here.shape[0])
        shape.append(fit.shape)
    t, m = np.concatenate(true_motion), np.concatenate(motion)
    covariance = (t * m).mean(0)
    s, e = np.array(true_shape), np.array(shape)
    return {
        "reliability": covariance / np.sqrt((t**2).mean(0) * (m**2).mean(0) + 1e-18),
        "slope": covariance / ((t**2).mean(0) + 1e-18),
        "shape_reliability": ((s - s.mean(0)) * (e - e.mean(0))).mean(0) / (s.std(0) * e.std(0) + 1e-9),
    }


def _learn(template: Template, renders: Renders, provenance: dict) -> Calibration:
    n_shape, n_motion = renders.shape.shape[1], renders.motion.shape[1]
    motion_mean = renders.motion.mean(0)
    motion = renders.motion - motion_mean

    canonical = template.landmarks478(template.v_template).astype(np.float64)
    # points that expressions hardly move hold the alignment
    moved = template.landmarks478(np.moveaxis(template.expressiondirs, 2, 0))
    rigidity = 1 / (0.001 + np.sqrt((moved**2).sum(2).mean(0))) ** 2
    rigidity[~template.visible478] = rigidity.min()
    for _ in range(2):  # the detector's mean face is not quite the template's
        aligned, rotation = align(renders.points, canonical, rigidity)
        canonical = aligned.mean(0)
    flat = aligned.reshape(len(aligned), -1)
    centred = flat - flat.mean(0)
    pose = pose_features(rotation)
    # few frames tell the covariance of few components, beside the features
    free = len(flat) - len(np.unique(renders.person)) - n_motion - pose.shape[1]
    components = min(COMPONENTS, max(1, free // 3 - renders.features.shape[1]))
    basis = np.linalg.eigh(centred.T @ centred)[1][:, ::-1][:, :components]
    y = np.hstack([centred @ basis, renders.features])
    start, effect, residual = _regress(np.concatenate([renders.shape, motion, pose], 1), y)
    within, between = _components_of_variance(residual, renders.person)
    return Calibration(
        canonical=canonical, rigidity=rigidity, mean=flat.mean(0) + basis @ start[:components],
        basis=basis, feature_mean=start[components:],
        shape_effect=effect[:, :n_shape], motion_effect=effect[:, n_shape : n_shape + n_motion],
        pose_effect=effect[:, n_shape + n_motion :], between=between, within=within,
        point_sd=_point_sd(template, renders),
        skin_sd=np.full((ROWS, COLUMNS), ROUGH_SKIN_SD),
        motion_mean=motion_mean, motion_covariance=np.cov(motion.T),
        reliability=np.zeros(n_motion), slope=np.zeros(n_motion), shape_reliability=np.zeros(n_shape), measured=None,
        template_sha256=template.sha256, bounded=template.n_bounded, provenance=provenance,
    )  # fmt: skip


def _point_sd(template: Template, renders: Renders) -> np.ndarray:
    """Root mean square distance (478,) of the points seen from the true ones, metres at the head's depth.

    What a picture's points are off by together belongs to the head's pose and is taken out; single wild points count as
    `_WILD`.
    """
    model = FaceModel(template, embedding=template.landmarks478)
    points = pose_people(template, renders.shape, renders.motion, model)
    square = np.zeros(len(renders.points[0]))
    for seen, point, camera_matrix, pose in zip(
        renders.points, points, renders.camera_matrix, renders.camera_from_head, strict=True
    ):
        apart = (seen[:, :2] - project(point, camera_matrix, pose)) * pose[2, 3] / camera_matrix[0, 0]
        apart -= np.median(apart[template.visible478], axis=0)
        square += np.minimum((apart**2).sum(1), _WILD**2)
    return np.sqrt(square / len(points))


def _regress(causes: np.ndarray, effects: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Least squares: the value at causes 0, (effects, causes) slopes, and residuals."""
    centred, mean = causes - causes.mean(0), effects.mean(0)
    slope = np.linalg.solve(centred.T @ centred + 1e-3 * np.eye(causes.shape[1]), centred.T @ (effects - mean)).T
    return mean - slope @ causes.mean(0), slope, effects - mean - centred @ slope.T


def _components_of_variance(residual: np.ndarray, person: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Covariance within and between persons (analysis of variance), the second made positive."""
    ids, at, count = np.unique(person, return_inverse=True, return_counts=True)
    mean = np.zeros((len(ids), residual.shape[1]))
    np.add.at(mean, at, residual)
    mean /= count[:, None]
    inside = residual - mean[at]
    within = inside.T @ inside / (len(residual) - len(mean))
    between = mean.T @ mean / len(mean) - within * (len(mean) / len(residual))
    values, vectors = np.linalg.eigh(between)
    return within, (vectors * np.maximum(values, 1e-12)) @ vectors.T
