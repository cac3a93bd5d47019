"""Random people of a template, photographed: renders with known parameters, and what the detector makes of them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from itertools import pairwise

import cv2
import numpy as np
import torch

from reconstruction.camera import FACING
from reconstruction.detectors import BUNDLED, DetectorChoice
from reconstruction.errors import InputError
from reconstruction.face_model import FaceModel
from reconstruction.image_features import crop, image_features
from reconstruction.landmarks import Detection, Detector
from reconstruction.motion import ANGLES, angles, motion_to_pose
from reconstruction.rendering import Renderer, in_camera, linear_to_srgb, srgb_to_linear, vertex_normals
from reconstruction.residual_shape import with_residual_shape
from reconstruction.subdivision import split
from reconstruction.template import Template

FINE = 30_000  # triangles; a mesh with more carries pores and brows as it is
Motion = Callable[[Template, int, np.random.Generator], np.ndarray]  # of so many frames, (T, M)
SIZE = 448  # pixels, side of a render; the detector looks at 192


def random_motion(template: Template, n: int, rng: np.random.Generator) -> np.ndarray:
    """(n, M) sparse, mostly symmetric expressions, jaw and gaze, as in people who show something; where expressions are
    components without bounds, standard normal ones, faded towards neutral by a share that is random for every frame.
    """
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
    if not template.bounded:
        expression = rng.normal(size=expression.shape).clip(-3, 3) * rng.uniform(0, 1, (n, 1))
    turn = np.zeros((n, len(ANGLES)))
    turn[:, 0] = (rng.uniform(size=n) < 0.4) * rng.uniform(0, 0.45, n)
    turn[:, 1] = (rng.uniform(size=n) < 0.3) * rng.normal(0, 0.07, n)
    gaze = rng.normal(0, [0.18, 0.22], (n, 2)) * (rng.uniform(size=(n, 1)) < 0.8)
    for i in (2, 4):
        turn[:, i : i + 2] = gaze + rng.normal(0, 0.015, (n, 2))
    if "mouthClose" in names:  # every other time it closes what the jaw opened, no more
        close = names.index("mouthClose")
        expression[:, close] *= np.where(rng.uniform(size=n) < 0.5, np.clip(turn[:, 0] / 0.44, 0, 1), 1)
    there = [ANGLES.index(angle) for angle in angles(template)]
    return np.concatenate([expression, turn[:, there]], 1)


class Photographer:
    """Renders a template's people with random skin, hair, light, background and camera noise."""

    def __init__(self, template: Template, size: int = SIZE):
        self.template = template
        if len(template.faces) < FINE:
            everything = np.ones(template.faces.shape, bool)
            self._edges, self._faces = split(template.faces, everything, len(template.v_template))
        else:
            self._edges, self._faces = np.zeros((0, 2), int), template.faces
        self._neutral = self.subdivide(template.v_template)
        own = template.colours.astype(float)
        self._colours = self.subdivide(own)
        self._skin = self.subdivide(template.skin.astype(float)) > 0.5
        self._iris = self.subdivide(template.part("iris").astype(float)) > 0.5
        marks = template.landmarks68(template.v_template)
        self._brows = marks[17:22], marks[26:21:-1]  # outer end first, as below
        self._upper_lids, self._lower_lids = (
            [marks[line] for line in lines]
            for lines in (([36, 37, 38, 39], [45, 44, 43, 42]), ([36, 41, 40, 39], [45, 46, 47, 42]))
        )
        self._lips = self.subdivide(template.part("lips").astype(float))
        self._lid = self.subdivide(template.part("lid").astype(float))
        self._beard = self._line(marks[2:15], marks[[48, 49, 50, 52, 53, 54]])
        self._eyes = marks[36:42].mean(0), marks[42:48].mean(0)
        self.renderer = Renderer(size, size)
        self._model = FaceModel(with_residual_shape(template))

    def subdivide(self, field: np.ndarray) -> np.ndarray:
        """A per-vertex field on the mesh that is drawn: every triangle split in four, unless they are small already."""
        return np.concatenate([field, (field[self._edges[:, 0]] + field[self._edges[:, 1]]) / 2])

    def _line(self, *lines: np.ndarray) -> np.ndarray:
        """Distance of every neutral vertex to polylines, metres."""
        out = np.full(len(self._neutral), np.inf)
        for line in lines:
            for a, b in pairwise(line):
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
        for share, shift in self._blotches(rng):
            blend(share, np.clip(skin + shift, 5, 250))
        blend(self._lips * rng.uniform(0, 1), skin * rng.uniform(0.6, 1) + [rng.uniform(0, 50), 5, 10])
        blend(self._lid * rng.uniform(0.2, 1), skin * rng.uniform(0.2, 0.7))
        if rng.uniform() < 0.12:
            blend(rng.uniform(0.3, 0.9) * (1 - self._beard / 0.02), hair)
        for lids in (self._upper_lids, self._lower_lids):  # lashes, painted or not
            if rng.uniform() < 0.7:
                width, wing = rng.uniform(0, 0.0035), [rng.uniform(0, 0.25), 0, 0, 0]
                share = rng.uniform(0.4, 1) * (width + 0.001 - self._line(*_lengthened(lids, wing))) / 0.001
                blend(share, rng.uniform(5, 60) + hair * rng.uniform(0, 0.5))
        # brows are no landmark of the bone below: they sit higher or lower, slant, arch and end as they like
        width, course = rng.uniform(0.002, 0.005), np.linspace(1, -1, 5)
        up = rng.normal(0, 0.002) + rng.normal(0, 0.0015) * course + rng.normal(0, 0.0015) * (1 - 2 * course**2)
        brows = _lengthened(self._brows, [rng.uniform(-0.1, 0.15), 0, 0, 0, rng.uniform(-0.1, 0.1)], up)
        blend(rng.uniform(0.1, 1) * (width + 0.001 - self._line(*brows)) / 0.0015, hair)
        if rng.uniform() < 0.7:  # a cap of hair above and behind the forehead
            line = rng.uniform(0.075, 0.11)
            behind = rng.uniform(0.0, 0.05)
            blend((self._neutral[:, 1] - line - 0.5 * (self._neutral[:, 2] - behind)) / 0.005, hair)
        pores = rng.normal(0, rng.uniform(1, 6), (len(colours), 1)) + rng.normal(0, 2, colours.shape)
        colours[face] += pores[face]
        moles = rng.choice(len(colours), rng.integers(0, 60))
        colours[moles] *= rng.uniform(0.6, 0.95)
        colours[self._iris] = rng.uniform(20, 60) + rng.uniform(0, 70, 3)
        if rng.uniform() < 0.06:
            colours[self._glasses(rng)] = rng.uniform(10, 90)
        return np.clip(colours, 0, 255).astype(np.uint8)

    def person(self, motion: Motion, frames: int, rng: np.random.Generator) -> "Person":
        """A random person who does `motion`, such as `random_motion`."""
        shape = rng.normal(size=self._model.sizes[0]).clip(-3, 3)
        moves = motion(self.template, frames, rng)
        vertices = pose_people(self.template, np.tile(shape, (frames, 1)), moves, self._model)
        return Person(shape[: self.template.n_shape], moves, vertices, self.appearance(rng))

    def _blotches(self, rng: np.random.Generator) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Reddened, darker and lighter patches of skin: shares (V',) and what is added to the colour (3,)."""
        front = np.flatnonzero(self._skin & (self._neutral[:, 2] > 0))
        for place in self._neutral[rng.choice(front, rng.integers(0, 8))]:
            size, strength = np.exp(rng.uniform(np.log(0.006), np.log(0.05))), rng.uniform(0.2, 1)
            share = strength * np.exp(-0.5 * ((self._neutral - place) ** 2).sum(1) / size**2)
            yield share, rng.normal(0, 14) + np.array([rng.uniform(0, 25), 0, 0])

    def _glasses(self, rng: np.random.Generator) -> np.ndarray:
        """(V',) bool: where frames of glasses lie on the face."""
        rim, thick = rng.uniform(0.019, 0.026), rng.uniform(0.0015, 0.003)
        x, y, z = self._neutral.T
        out = np.zeros(len(x), bool)
        for eye in self._eyes:
            out |= (np.abs(np.hypot(x - eye[0], y - eye[1]) - rim) < thick) & (z > eye[2] - 0.03)
        return out & self._skin

    def scene(self, rng: np.random.Generator) -> "Scene":
        """A random place and camera."""
        size = self.renderer.width
        coarse = rng.uniform(20, 235, (rng.integers(1, 6), rng.integers(1, 6), 3)).astype(np.float32)
        lights = rng.integers(1, 4)
        direction = rng.uniform([-1.2, -1.0, -1.0], [1.2, 0.3, -0.6], (lights, 3))
        strength = rng.uniform(0.2, 1, lights)
        tint = np.exp(rng.normal(0, 0.06, (lights + 1, 3)))
        ambient = rng.uniform(0.2, 0.65)
        return Scene(
            background=cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC).clip(0, 255).astype(np.uint8),
            directions=direction / np.linalg.norm(direction, axis=1, keepdims=True),
            lights=(1.15 - ambient) * (strength / strength.sum())[:, None] * tint[1:],
            ambient=ambient * tint[0],
            wrap=rng.uniform(0, 0.3),
            gloss=(rng.uniform() < 0.6) * rng.uniform(0.0, 0.35),
            shine=float(np.exp(rng.uniform(np.log(5), np.log(50)))),
            gain=rng.uniform(0.75, 1.15),
            blur=(rng.uniform() < 0.35) * rng.uniform(0.3, 0.9),
            noise=rng.uniform(0, 3),
            jpeg_quality=int(rng.integers(60, 97)),
        )

    def photograph(
        self,
        vertices: np.ndarray,
        colours: np.ndarray,
        camera_matrix: np.ndarray,
        camera_from_head: np.ndarray,
        scene: "Scene",
        rng: np.random.Generator,
    ) -> np.ndarray:
        """(H, W, 3) uint8: a render with the scene's light, background, blur, noise and compression."""
        points = in_camera(self.subdivide(vertices), camera_from_head)
        lit = scene.shade(points, vertex_normals(points, self._faces), colours)
        rgb, _ = self.renderer.draw(points, self._faces, lit, camera_matrix, background=scene.background)
        picture = rgb.astype(np.float32) * scene.gain
        if scene.blur:
            picture = cv2.GaussianBlur(picture, (0, 0), scene.blur)
        picture += scene.noise * rng.standard_normal(picture.shape, np.float32)
        _, packed = cv2.imencode(
            ".jpg", picture.clip(0, 255).astype(np.uint8)[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, scene.jpeg_quality]
        )
        return np.ascontiguousarray(cv2.imdecode(packed, cv2.IMREAD_COLOR)[:, :, ::-1])


def _lengthened(lines: Sequence[np.ndarray], by: Sequence[float], up: float | np.ndarray = 0) -> list[np.ndarray]:
    """Polylines (K, 3) whose points go on by shares (K,) of the way from their last to their first, `up` metres on."""
    return [line + np.outer(by, line[0] - line[-1]) + np.multiply.outer(up, [0, 1, 0]) for line in lines]


@dataclass(frozen=True)
class Person:
    """shape : (S,); motion : (T, M); vertices : (T, V, 3) metres, head frame; colours : as `Photographer.appearance`"""

    shape: np.ndarray
    motion: np.ndarray
    vertices: np.ndarray
    colours: np.ndarray


@dataclass(frozen=True)
class Scene:
    """Light and camera.

    background : (H, W, 3) uint8
    directions : (L, 3) unit vectors towards the lights, camera frame; lights : (L, 3) their colours, linear
    ambient : (3,) linear; wrap : how far light reaches round the form, 0 to 1
    gloss, shine : amount and sharpness of highlights (Blinn 1977)
    blur : pixels; noise : of 255; jpeg_quality : 0..100
    """

    background: np.ndarray
    directions: np.ndarray
    lights: np.ndarray
    ambient: np.ndarray
    wrap: float
    gloss: float
    shine: float
    gain: float
    blur: float
    noise: float
    jpeg_quality: int

    def shade(self, points: np.ndarray, normals: np.ndarray, colours: np.ndarray) -> np.ndarray:
        """(V, 3) uint8 sRGB of points (V, 3) with normals (V, 3), camera frame, and colours (V, 3) uint8 sRGB."""
        to_viewer = -points / np.linalg.norm(points, axis=1, keepdims=True)
        matt = np.maximum((normals @ self.directions.T + self.wrap) / (1 + self.wrap), 0) @ self.lights
        halfway = to_viewer[:, None] + self.directions
        halfway /= np.linalg.norm(halfway, axis=2, keepdims=True)
        bright = np.maximum(np.einsum("vi,vli->vl", normals, halfway), 0) ** self.shine @ self.lights
        light = srgb_to_linear(colours) * (self.ambient + matt) + self.gloss * bright
        return linear_to_srgb(np.where(light > 0.8, 0.8 + 0.2 * np.tanh((light - 0.8) / 0.2), light))


def random_camera(
    template: Template, n: int, rng: np.random.Generator, size: int = SIZE
) -> tuple[np.ndarray, np.ndarray]:
    """One camera and n head poses: (3, 3) pixels and (n, 4, 4) camera from head. The face fills a quarter to three
    quarters of the picture's height.
    """
    face = template.landmarks68(template.v_template)
    height = np.ptp(face[:, 1])
    distance = np.exp(rng.uniform(np.log(0.35), np.log(1.4)))
    focal = rng.uniform(0.3, 0.7) * size * distance / height
    camera_matrix = np.array([[focal, 0, (size - 1) / 2], [0, focal, (size - 1) / 2], [0, 0, 1]])
    poses = np.tile(np.eye(4), (n, 1, 1))
    for pose in poses:
        yaw, pitch, roll = rng.normal(0, np.radians([15, 9, 6]))
        about_z, about_x, about_y = (cv2.Rodrigues(np.array(a))[0] for a in ([0, 0, roll], [pitch, 0, 0], [0, yaw, 0]))
        turn = about_z @ about_x @ about_y
        pose[:3, :3] = FACING @ turn
        centre = np.array([0, 0, distance]) + rng.normal(0, 0.02 * distance, 3)
        pose[:3, 3] = centre - pose[:3, :3] @ face.mean(0)
    return camera_matrix, poses


@dataclass
class Renders:
    """Detections with the truth: N frames of known people.

    points : (N, 478, 3) pixels; features, features_twice : (N, F) of the image looked at once and twice, see
        `image_features`
    shape : (N, S); motion : (N, M); person : (N,)
    camera_matrix : (N, 3, 3) pixels; camera_from_head : (N, 4, 4) metres
    """

    points: np.ndarray
    features: np.ndarray
    features_twice: np.ndarray
    shape: np.ndarray
    motion: np.ndarray
    person: np.ndarray
    camera_matrix: np.ndarray
    camera_from_head: np.ndarray

    def of(self, use: np.ndarray) -> "Renders":
        """The frames that `use` (N,) bool selects."""
        return Renders(*(getattr(self, f.name)[use] for f in fields(self)))

    def looked_at_twice(self) -> "Renders":
        """The same with the features of an image looked at twice as its features."""
        return replace(self, features=self.features_twice)

    @staticmethod
    def join(parts: "list[Renders]") -> "Renders":
        return Renders(*(np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(Renders)))


def pose_people(
    template: Template, shape: np.ndarray, motion: np.ndarray, model: FaceModel | None = None
) -> np.ndarray:
    """(N, V, 3) float32, metres, head frame, of shape (N, S) and motion (N, M); `model`'s points where it is given."""
    model = model or FaceModel(template)
    parts = (
        torch.tensor(shape, dtype=torch.float32),
        torch.tensor(motion[:, : template.n_expression], dtype=torch.float32),
        torch.from_numpy(motion_to_pose(template, motion)),
    )
    with torch.no_grad():
        return torch.cat([model(*part) for part in zip(*(p.split(64) for p in parts), strict=True)]).numpy()


def look_twice(detector: Detector, picture: np.ndarray) -> list[Detection]:
    """Faces in a picture, found by the crop that a first look gives, as a tracker finds them in a video."""
    detector.detect(picture)
    return detector.detect(picture)


def render_people(
    template: Template, people: int, frames: int, seed: int, first: int = 0, detector: DetectorChoice = BUNDLED
) -> Renders:
    """Photograph people `first` to `first + people` and run the detector; frames where it finds none are left out."""
    photographer = Photographer(template)
    found: list[tuple] = []
    with detector.open(tracking=True, min_confidence=0.3) as finder:
        for number in range(first, first + people):
            rng = np.random.default_rng([seed, number])
            person = photographer.person(random_motion, frames, rng)
            camera_matrix, poses = random_camera(template, frames, rng)
            scene = photographer.scene(rng)  # one, as in a recording: what light does to a face is the same throughout
            for t in range(frames):
                picture = photographer.photograph(
                    person.vertices[t], person.colours, camera_matrix, poses[t], scene, rng
                )
                faces = look_twice(finder, picture)
                if faces:
                    seen = crop(picture, faces[0].points)[None]
                    features = (image_features(seen, looks=looks)[0] for looks in (1, 2))
                    truth = (person.shape, person.motion[t], number, camera_matrix, poses[t])
                    found.append((faces[0].points, *features, *truth))
    if not found:
        raise InputError(
            f"expected faces in renders of template {template.name}, but the landmark detector found none in "
            f"{people * frames}; look at it with face-atlas template info --picture."
        )
    columns = [np.array(column) for column in zip(*found, strict=True)]
    return Renders(*columns)
