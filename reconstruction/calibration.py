"""What the detector's points say about a template's parameters, learnt from renders with known parameters.

Random people (shape), each with random expressions, jaw, gaze, head pose, camera, skin and light, are rendered and run
through the landmark detector. The aligned points y (478 x 3) then obey, to first order and for person i in frame t,

    y_it = mean + A_s shape_i + A_x motion_it + A_p pose_it + b_i + e_it

with b ~ N(0, B) what stays with a person (skin, detector bias) and e ~ N(0, R) what changes with the frame. `fitting`
inverts this for a whole recording. `motion` is expression, then jaw, then gaze: see `motion_names`.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from importlib import resources
from pathlib import Path

import cv2
import numpy as np
import torch

from reconstruction.camera import FACING
from reconstruction.errors import InputError
from reconstruction.face_model import FaceModel
from reconstruction.landmarks import FaceMesh
from reconstruction.rendering import Renderer
from reconstruction.storage import read_arrays, write_arrays
from reconstruction.template import Template, load_template

KIND, VERSION = "face-calibration", 1
SUFFIX = ".calibration.safetensors"
DETECTOR = "mediapipe-0.10.21-facemesh"
# the joint angles a recording is fitted with, (joint, axis): jaw opening and sideways, gaze up-down and left-right
ANGLES = (("jaw", 0), ("jaw", 1), ("left_eye", 0), ("left_eye", 1), ("right_eye", 0), ("right_eye", 1))
COMPONENTS = 160  # of the aligned points that are kept; the rest is noise
SIZE = 384  # pixels, side of a render; the detector looks at 192


@dataclass(frozen=True)
class Calibration:
    """A linear Gaussian model of the aligned detector points; D components, S shape, M motion, P pose features.

    canonical : (478, 3) float32, metres, head frame, what points are aligned to
    rigidity : (478,) float32, weights of the alignment
    mean : (1434,), basis : (1434, D) float32, principal components of aligned points, metres
    shape_effect : (D, S); motion_effect : (D, M); pose_effect : (D, P) float32
    between : (D, D), within : (D, D) float32, B and R above
    motion_mean : (M,), motion_covariance : (M, M) float32, the prior
    reliability : (M,) float32, within-person correlation of the recovered with the true motion on people left out
    slope : (M,) float32, recovered per true unit, likewise
    shape_reliability : (S,) float32, correlation over people left out
    template_sha256 : the template it belongs to
    """

    canonical: np.ndarray
    rigidity: np.ndarray
    mean: np.ndarray
    basis: np.ndarray
    shape_effect: np.ndarray
    motion_effect: np.ndarray
    pose_effect: np.ndarray
    between: np.ndarray
    within: np.ndarray
    motion_mean: np.ndarray
    motion_covariance: np.ndarray
    reliability: np.ndarray
    slope: np.ndarray
    shape_reliability: np.ndarray
    template_sha256: str
    provenance: dict


_ARRAYS = tuple(f.name for f in fields(Calibration) if f.name not in ("template_sha256", "provenance"))


def load_calibration(template: Template, path: str | Path | None = None) -> Calibration:
    """The calibration shipped with an embedded template, or the one in a file.

    Raises
    ------
    InputError
        There is none, or it belongs to another template.
    """
    if path is None:
        embedded = resources.files("templates").joinpath(f"{template.name}{SUFFIX}")
        if not embedded.is_file():
            raise InputError(f"expected a calibration of template {template.name}, but none is shipped; pass its file.")
        with resources.as_file(embedded) as file:
            arrays, header = read_arrays(file, KIND, VERSION)
    else:
        arrays, header = read_arrays(path, KIND, VERSION)
    if header["template_sha256"] != template.sha256:
        raise InputError(
            f"expected a calibration of template {template.name} ({template.sha256[:8]}), but it belongs to "
            f"{header['template_sha256'][:8]}; calibrate this template anew."
        )
    values = {name: arrays[name].astype(np.float64) for name in _ARRAYS}
    return Calibration(**values, template_sha256=header["template_sha256"], provenance=header["provenance"])


def save_calibration(calibration: Calibration, path: str | Path) -> None:
    """Write a calibration file."""
    arrays = {name: np.asarray(getattr(calibration, name), np.float32) for name in _ARRAYS}
    header = {"template_sha256": calibration.template_sha256, "provenance": calibration.provenance}
    write_arrays(path, KIND, VERSION, arrays, header)


def motion_names(template: Template) -> tuple[str, ...]:
    """Names of the M motion parameters: the expressions, then the joint angles as `jaw_x`."""
    return template.expression_names + tuple(f"{joint}_{'xyz'[axis]}" for joint, axis in ANGLES)


def motion_to_pose(template: Template, motion: np.ndarray) -> np.ndarray:
    """(T, M) motion to (T, J, 3) axis-angle, radians, global rotation zero."""
    pose = np.zeros((len(motion), template.n_joints, 3), np.float32)
    for i, (joint, axis) in enumerate(ANGLES):
        pose[:, template.joint(joint), axis] = motion[:, template.n_expression + i]
    return pose


def align(points: np.ndarray, canonical: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Detector points laid over the canonical ones by a similarity (Umeyama 1991), frame by frame.

    points : (T, 478, 3) pixels, as `Detection.points`; canonical : (478, 3); weights : (478,)
    Returns aligned (T, 478, 3), metres, head frame, and rotation (T, 3, 3), image from head, both axes as the head's.
    """
    weight = weights / weights.sum()
    image = points.astype(np.float64) * [1, -1, -1]
    centre = np.einsum("k,tkd->td", weight, image)
    here, there = image - centre[:, None], canonical - weight @ canonical
    u, s, vt = np.linalg.svd(np.einsum("k,tkd,ke->tde", weight, here, there))
    sign = np.ones((len(points), 3))
    sign[:, 2] = np.sign(np.linalg.det(u @ vt))
    rotation = (u * sign[:, None]) @ vt
    scale = (s * sign).sum(1) / np.einsum("k,tkd->t", weight, here**2)
    aligned = scale[:, None, None] * (here @ rotation) + weight @ canonical
    return aligned, rotation


def pose_features(rotation: np.ndarray) -> np.ndarray:
    """(T, 3, 3) to (T, P): smooth functions of yaw and pitch that the detector's depth errors follow."""
    yaw, pitch = np.arcsin(np.clip(rotation[:, 0, 2], -1, 1)), np.arcsin(np.clip(-rotation[:, 1, 2], -1, 1))
    return np.stack([yaw, pitch, yaw * pitch, yaw**2, pitch**2, np.abs(yaw)], 1)


# --- random people, motions and pictures --------------------------------------------------------------------------------


def random_motion(template: Template, n: int, rng: np.random.Generator) -> np.ndarray:
    """(n, M) sparse, mostly symmetric expressions, jaw and gaze, as in people who show something."""
    names = template.expression_names
    expression = np.zeros((n, len(names)))
    for i, name in enumerate(names):
        active = rng.uniform(size=n) < 0.22
        expression[:, i] = active * rng.uniform(0, 1, n)
        if name.endswith("Right") and name.removesuffix("Right") + "Left" in names:
            left = expression[:, names.index(name.removesuffix("Right") + "Left")]
            expression[:, i] = np.where(rng.uniform(size=n) < 0.8, left, expression[:, i])
    blink = rng.uniform(size=n) < 0.15
    for i, name in enumerate(names):
        if name.startswith("eyeBlink"):
            expression[blink, i] = np.maximum(expression[blink, i], rng.uniform(0.6, 1.0, blink.sum()))
    angles = np.zeros((n, len(ANGLES)))
    angles[:, 0] = (rng.uniform(size=n) < 0.35) * rng.uniform(0, 0.4, n)
    angles[:, 1] = (rng.uniform(size=n) < 0.2) * rng.normal(0, 0.05, n)
    gaze = rng.normal(0, [0.18, 0.22], (n, 2)) * (rng.uniform(size=(n, 1)) < 0.8)
    for i in (2, 4):
        angles[:, i : i + 2] = gaze + rng.normal(0, 0.015, (n, 2))
    if "mouthClose" in names:  # closes what the jaw has opened, no more
        close = names.index("mouthClose")
        expression[:, close] *= np.clip(angles[:, 0] / 0.44, 0, 1)
    return np.concatenate([expression, angles], 1)


class Photographer:
    """Renders a template's people with random skin, hair, light, background and camera noise."""

    def __init__(self, template: Template, size: int = SIZE):
        self.template = template
        edges = np.unique(np.sort(template.faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), 1), axis=0)
        self._edges = edges
        middle = {tuple(e): len(template.v_template) + i for i, e in enumerate(edges.tolist())}
        split = []
        for a, b, c in template.faces.tolist():
            ab, bc, ca = (middle[min(p), max(p)] for p in ((a, b), (b, c), (c, a)))
            split += [[a, ab, ca], [ab, b, bc], [ca, bc, c], [ab, bc, ca]]
        self._faces = np.array(split)
        self._neutral = self.subdivide(template.v_template)
        own = template.colours.astype(float)
        self._colours = self.subdivide(own)
        self._skin = self.subdivide(template.part("skin", "lid", "lips", "brow").astype(float)) > 0.5
        self._iris = self.subdivide(template.part("iris").astype(float)) > 0.5
        marks = template.landmarks68(template.v_template)
        self._brow = self._line(marks[17:22], marks[22:27])
        self._lips = self.subdivide(template.part("lips").astype(float))
        self._lid = self.subdivide(template.part("lid").astype(float))
        self._beard = self._line(marks[2:15], marks[[48, 49, 50, 52, 53, 54]])
        self.renderer = Renderer(size, size)

    def subdivide(self, field: np.ndarray) -> np.ndarray:
        """A per-vertex field on the mesh with every triangle split in four."""
        return np.concatenate([field, (field[self._edges[:, 0]] + field[self._edges[:, 1]]) / 2])

    def _line(self, *lines: np.ndarray) -> np.ndarray:
        """Distance of every neutral vertex to polylines, metres."""
        out = np.full(len(self._neutral), np.inf)
        for line in lines:
            for a, b in zip(line[:-1], line[1:], strict=True):
                t = np.clip(((self._neutral - a) @ (b - a)) / ((b - a) @ (b - a)), 0, 1)[:, None]
                out = np.minimum(out, np.linalg.norm(self._neutral - (a + t * (b - a)), axis=1))
        return out

    def appearance(self, rng: np.random.Generator) -> np.ndarray:
        """(V', 3) uint8 sRGB colours of one random person, on the subdivided mesh."""
        tone = rng.uniform()
        skin = (1 - tone) * np.array([228, 188, 164]) + tone * np.array([88, 58, 44]) + rng.normal(0, 6, 3)
        hair = skin * rng.uniform(0.15, 0.75) + rng.normal(0, 6, 3)
        colours = self._colours.copy()
        face = self._skin

        def blend(share: np.ndarray, colour: np.ndarray) -> None:
            colours[face] += np.clip(share[face], 0, 1)[:, None] * (colour - colours[face])

        blend(np.ones(len(colours)), skin)
        blend(self._lips * rng.uniform(0.3, 1), skin * rng.uniform(0.6, 0.9) + [rng.uniform(10, 50), 5, 10])
        blend(self._lid * rng.uniform(0.2, 1), skin * rng.uniform(0.2, 0.7))
        if rng.uniform() < 0.25:
            blend(rng.uniform(0.3, 0.9) * (1 - self._beard / 0.02), hair)
        width = rng.uniform(0.002, 0.0045)
        blend(rng.uniform(0.5, 1) * (width + 0.001 - self._brow) / 0.0015, hair)
        if rng.uniform() < 0.7:  # a cap of hair above and behind the forehead
            line = rng.uniform(0.075, 0.11)
            behind = rng.uniform(0.0, 0.05)
            blend((self._neutral[:, 1] - line - 0.5 * (self._neutral[:, 2] - behind)) / 0.005, hair)
        pores = rng.normal(0, rng.uniform(1, 6), (len(colours), 1)) + rng.normal(0, 2, colours.shape)
        colours[face] += pores[face]
        colours[self._iris] = rng.uniform(20, 60) + rng.uniform(0, 70, 3)
        return np.clip(colours, 0, 255).astype(np.uint8)

    def photograph(
        self, vertices: np.ndarray, colours: np.ndarray, camera_matrix: np.ndarray, camera_from_head: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        """(H, W, 3) uint8: a render with random light, background, blur, noise and compression."""
        size = self.renderer.width
        coarse = rng.uniform(20, 235, (rng.integers(1, 6), rng.integers(1, 6), 3)).astype(np.float32)
        background = cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC).clip(0, 255).astype(np.uint8)
        rgb, _ = self.renderer.render(
            self.subdivide(vertices), self._faces, colours, camera_matrix, camera_from_head, background=background,
            light=np.array([rng.uniform(-0.8, 0.8), rng.uniform(-0.9, 0.1), -1.0]), ambient=rng.uniform(0.2, 0.6),
        )  # fmt: skip
        picture = rgb.astype(np.float32) * rng.uniform(0.75, 1.15)
        if rng.uniform() < 0.5:
            picture = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.3, 1.5))
        picture = (picture + rng.normal(0, rng.uniform(0, 6), picture.shape)).clip(0, 255).astype(np.uint8)
        _, packed = cv2.imencode(".jpg", picture[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(40, 96))])
        return np.ascontiguousarray(cv2.imdecode(packed, cv2.IMREAD_COLOR)[:, :, ::-1])


def random_camera(template: Template, n: int, rng: np.random.Generator, size: int = SIZE) -> tuple[np.ndarray, np.ndarray]:
    """One camera and n head poses: (3, 3) pixels and (n, 4, 4) camera from head; the face fills a quarter to three quarters."""
    face = template.landmarks68(template.v_template)
    height = np.ptp(face[:, 1])
    distance = np.exp(rng.uniform(np.log(0.35), np.log(1.4)))
    focal = rng.uniform(0.25, 0.7) * size * distance / height
    camera_matrix = np.array([[focal, 0, (size - 1) / 2], [0, focal, (size - 1) / 2], [0, 0, 1]])
    poses = np.tile(np.eye(4), (n, 1, 1))
    for pose in poses:
        yaw, pitch, roll = rng.normal(0, np.radians([18, 10, 6]))
        turn = cv2.Rodrigues(np.array([0, 0, roll]))[0] @ cv2.Rodrigues(np.array([pitch, 0, 0]))[0] @ cv2.Rodrigues(np.array([0, yaw, 0]))[0]
        pose[:3, :3] = FACING @ turn
        centre = np.array([0, 0, distance]) + rng.normal(0, 0.02 * distance, 3)
        pose[:3, 3] = centre - pose[:3, :3] @ face.mean(0)
    return camera_matrix, poses


@dataclass
class Renders:
    """Detections with the truth: N frames of known people.

    points : (N, 478, 3) pixels; shape : (N, S); motion : (N, M); person : (N,)
    """

    points: np.ndarray
    shape: np.ndarray
    motion: np.ndarray
    person: np.ndarray


def render_people(
    template: Template, people: int, frames: int, seed: int, first: int = 0, progress: Callable[[int], None] | None = None
) -> Renders:
    """Photograph people `first` to `first + people` and run the detector; frames where it finds nothing are left out."""
    model = FaceModel(template)
    photographer = Photographer(template)
    found: list[tuple] = []
    with FaceMesh(tracking=True, min_confidence=0.3) as detector:
        for person in range(first, first + people):
            rng = np.random.default_rng([seed, person])
            shape = rng.normal(size=template.n_shape).clip(-3, 3)
            motion = random_motion(template, frames, rng)
            with torch.no_grad():
                vertices = model(
                    torch.tensor(np.tile(shape, (frames, 1)), dtype=torch.float32),
                    torch.tensor(motion[:, : template.n_expression], dtype=torch.float32),
                    torch.from_numpy(motion_to_pose(template, motion)),
                ).numpy()
            colours = photographer.appearance(rng)
            camera_matrix, poses = random_camera(template, frames, rng)
            for t in range(frames):
                picture = photographer.photograph(vertices[t], colours, camera_matrix, poses[t], rng)
                detector.detect(picture)  # twice, so that the crop is the tracker's, as it is in a video
                faces = detector.detect(picture)
                if faces:
                    found.append((faces[0].points, shape, motion[t], person))
            if progress:
                progress(person - first + 1)
    columns = [np.array(column) for column in zip(*found, strict=True)]
    return Renders(*columns)


# --- learning -----------------------------------------------------------------------------------------------------------


def learn(template: Template, renders: Renders, provenance: dict) -> Calibration:
    """Fit the linear Gaussian model; reliability comes from the last fifth of the people, who are left out of the fit for it."""
    people = np.unique(renders.person)
    held = np.isin(renders.person, people[-max(1, len(people) // 5) :])
    trial = _fit(template, renders, ~held, provenance)
    reliability, slope, shape_reliability = _judge(trial, renders, held)
    whole = _fit(template, renders, np.ones(len(held), bool), provenance)
    values = {f.name: getattr(whole, f.name) for f in fields(Calibration)}
    return Calibration(**{**values, "reliability": reliability, "slope": slope, "shape_reliability": shape_reliability})


def _fit(template: Template, renders: Renders, use: np.ndarray, provenance: dict) -> Calibration:
    canonical = template.landmarks478(template.v_template).astype(np.float64)
    # points that expressions hardly move hold the alignment
    moved = template.landmarks478(np.moveaxis(template.expressiondirs, 2, 0))
    rigidity = 1 / (0.001 + np.sqrt((moved**2).sum(2).mean(0))) ** 2
    rigidity[~template.visible478] = rigidity.min()
    for _ in range(2):  # the detector's mean face is not quite the template's
        aligned, rotation = align(renders.points[use], canonical, rigidity)
        canonical = aligned.mean(0)
    flat = aligned.reshape(len(aligned), -1)
    mean = flat.mean(0)
    basis = np.linalg.svd(flat - mean, full_matrices=False)[2][:COMPONENTS].T
    y = (flat - mean) @ basis
    shape, motion, person = renders.shape[use], renders.motion[use], renders.person[use]
    motion_mean = motion.mean(0)
    causes = np.concatenate([shape, motion - motion_mean, pose_features(rotation)], 1)
    causes_mean = causes.mean(0)
    centred = causes - causes_mean
    effect = np.linalg.solve(centred.T @ centred + 1e-3 * np.eye(centred.shape[1]), centred.T @ y).T
    residual = y - centred @ effect.T
    # analysis of variance: what stays with a person, what changes
    ids, at, count = np.unique(person, return_inverse=True, return_counts=True)
    person_mean = np.zeros((len(ids), y.shape[1]))
    np.add.at(person_mean, at, residual)
    person_mean /= count[:, None]
    inside = residual - person_mean[at]
    within = inside.T @ inside / (len(y) - len(ids))
    between = person_mean.T @ person_mean / len(ids) - within * (1 / count).mean()
    values, vectors = np.linalg.eigh(between)
    between = (vectors * np.maximum(values, 1e-12)) @ vectors.T
    n_shape, n_motion = shape.shape[1], motion.shape[1]
    # the mean belongs to shape 0, mean motion and no pose
    mean = mean - basis @ (effect @ causes_mean)
    return Calibration(
        canonical=canonical, rigidity=rigidity, mean=mean, basis=basis,
        shape_effect=effect[:, :n_shape], motion_effect=effect[:, n_shape : n_shape + n_motion],
        pose_effect=effect[:, n_shape + n_motion :], between=between, within=within,
        motion_mean=motion_mean, motion_covariance=np.cov(motion.T),
        reliability=np.zeros(n_motion), slope=np.zeros(n_motion), shape_reliability=np.zeros(n_shape),
        template_sha256=template.sha256, provenance=provenance,
    )  # fmt: skip


def _judge(calibration: Calibration, renders: Renders, held: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Correlation and slope of motion within person, correlation of shape over people, all on people left out."""
    from reconstruction.fitting import LinearFit

    fit = LinearFit(calibration)
    true_motion, motion, true_shape, shape = [], [], [], []
    for person in np.unique(renders.person[held]):
        here = renders.person == person
        result = fit(renders.points[here], np.ones(here.sum()), frames_apart=1e9)
        true_motion.append(renders.motion[here] - renders.motion[here].mean(0))
        motion.append(result.motion - result.motion.mean(0))
        true_shape.append(renders.shape[here][0])
        shape.append(result.shape)
    t, m = np.concatenate(true_motion), np.concatenate(motion)
    covariance = (t * m).mean(0)
    reliability = covariance / np.sqrt((t**2).mean(0) * (m**2).mean(0) + 1e-18)
    s, e = np.array(true_shape), np.array(shape)
    together = ((s - s.mean(0)) * (e - e.mean(0))).mean(0) / (s.std(0) * e.std(0) + 1e-9)
    return reliability, covariance / ((t**2).mean(0) + 1e-18), together


def calibrate(
    name_or_path: str | Path, people: int, frames: int, seed: int, progress: Callable[[int], None] | None = None
) -> Calibration:
    """Render, detect, learn: the calibration of a template."""
    template = load_template(name_or_path)
    renders = render_people(template, people, frames, seed, progress=progress)
    return learn(template, renders, describe(people, frames, seed, renders))


def describe(people: int, frames: int, seed: int, renders: Renders) -> dict:
    """What a calibration says about its making."""
    return {"detector": DETECTOR, "people": people, "frames_each": frames, "frames_found": len(renders.person), "seed": seed}
