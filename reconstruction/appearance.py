"""What the skin shows that landmarks do not: lowered brows, wrinkled noses, raised cheeks.

The person's own texture is followed on the mesh. A frame's picture is drawn onto the `chart` with the mesh where the
landmarks put it; were the mesh right, the skin would stand still from frame to frame. Dense optical flow (Kroeger et
al. 2016) from a reference texture, the mean over a dozen frames, to the frame's says at thousands of places how
far it is off, along the skin. Gauss-Newton corrects motion and head pose of every frame by the flow and the landmarks
together, with the landmarks' fit and its own uncertainty as the prior. How far the flow can be trusted where (the
forehead far more than the lips) is learnt in calibration from films with known motion.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from torch import Tensor

from reconstruction.camera import spread_frames
from reconstruction.chart import HEIGHT, WIDTH, make_chart
from reconstruction.fitting import Fit, into_box
from reconstruction.projection import PointModel, View
from reconstruction.refinement import point_weight
from reconstruction.template import Template

KEY_FRAMES = 12  # that the reference texture is the mean of
STEPS = 3  # each draws the picture anew
COARSE = 2  # cells of the chart between two places where the mesh is computed; what lies between is interpolated
EVERY = 4  # cells of the chart between two places where the flow is read
FACING = 0.45  # cosine between the skin's normal and the view below which skin is not looked at
DETAIL = 2.0  # cells: light and shade that change more slowly are taken out; shades slide over a head that turns
PIXEL_SD = 0.4  # of a pixel, added to what the calibration knows of the flow: small faces are followed less well
COUNT = 80.0  # what all the flow of a frame together counts as: neighbours err alike
TURN_SD, SHIFT_SD = 0.05, 0.005  # of the landmarks' head pose, radians and metres
AT_ONCE = 16  # frames
_GRID = np.stack(np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT)), -1).astype(np.float32)
_NODE = _GRID / COARSE
_POSE_PRECISION = torch.tensor([TURN_SD**-2] * 3 + [SHIFT_SD**-2] * 3, dtype=torch.float32)


Pictures = Iterable[tuple[int, float, np.ndarray]]


def follow_skin(
    video: Pictures, template: Template, fit: Fit, progress: Callable[[int, int], None] | None = None
) -> Fit:
    """`fit` to the landmarks of a recording, with motion and camera from head corrected by its pictures.

    video : a `Video`, or anything else that gives ``(index, time_s, picture)`` from the start whenever it is iterated;
        pictures (H, W, 3) RGB or (H, W) grey, uint8
    progress : called with frames done and frames in all

    The recording is decoded twice more, a few frames at a time.
    """
    if len(fit.frames) < 2:
        return fit
    follower = Follower(template, fit)
    key = key_frames(len(fit.frames))
    skin = follower.reference([grey for _, grey in _greys(video, fit.frames[key])], key)
    motion, camera_from_head = fit.motion.copy(), fit.camera_from_head.copy()
    batch: list[tuple[int, np.ndarray]] = []
    for n, grey in _greys(video, fit.frames):
        batch.append((n, grey))
        if len(batch) == AT_ONCE or n == len(fit.frames) - 1:
            which = np.array([n for n, _ in batch])
            moved, view = follower.correct([grey for _, grey in batch], which, skin)
            motion[which] = moved.numpy()
            camera_from_head[which, :3, :3] = view.rotation.numpy()
            camera_from_head[which, :3, 3] = view.translation.numpy()
            batch = []
            if progress:
                progress(n + 1, len(fit.frames))
    return replace(fit, motion=motion, camera_from_head=camera_from_head)


def key_frames(count: int) -> np.ndarray:
    """Which of so many frames the reference texture is the mean of."""
    return spread_frames(count, KEY_FRAMES)


def _greys(video: Pictures, frames: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Number in `frames`, which rise, and picture (H, W) uint8."""
    n = 0
    for count, (_, _, picture) in enumerate(video):
        if count == frames[n]:
            yield n, picture if picture.ndim == 2 else cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
            n += 1
            if n == len(frames):
                return


@dataclass(frozen=True)
class Skin:
    """What frames are compared with.

    texture : (HEIGHT, WIDTH) uint8, evened; known : (HEIGHT, WIDTH) bool, where any frame showed it
    """

    texture: np.ndarray
    known: np.ndarray


@dataclass(frozen=True)
class Look:
    """T frames on the chart.

    where : (T, HEIGHT, WIDTH, 2) pixels; textures : (T, HEIGHT, WIDTH) uint8; facing : cosine; seen : bool
    """

    where: np.ndarray
    textures: np.ndarray
    facing: np.ndarray
    seen: np.ndarray


class Follower:
    """The chart of a person of known shape, and the samples on it, before the camera."""

    def __init__(self, template: Template, fit: Fit):
        chart = make_chart(template)
        self.inside = chart.inside
        chosen = np.zeros_like(chart.inside)
        chosen[::EVERY, ::EVERY] = True
        chosen &= chart.inside
        self.samples = np.flatnonzero(chosen)
        self.variance = torch.from_numpy(fit.skin_sd[chosen[::EVERY, ::EVERY]]).float() ** 2
        nodes = np.zeros_like(chart.inside)
        nodes[::COARSE, ::COARSE] = True
        self.nodes = PointModel(template, chart.embedding.of(nodes.ravel())).float()
        self.points = PointModel(template, chart.embedding.of(chosen.ravel())).float()
        self.marks = PointModel(template, template.landmarks478.of(template.visible478)).float()
        self.mark_weight = torch.from_numpy(point_weight(fit.point_sd[template.visible478])).float()[:, None]
        self.seen478 = template.visible478
        self.detected, self.frames = fit.points, fit.frames
        self.bounded = template.n_bounded
        self.shape, self.motion, self.poses, self.precision, self.camera_matrix = (
            torch.tensor(a, dtype=torch.float32)
            for a in (fit.shape, fit.motion, fit.camera_from_head, fit.motion_precision, fit.camera_matrix)
        )
        self._flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        self._flow.setFinestScale(0)
        self._flow.setVariationalRefinementIterations(3)
        self._flow.setVariationalRefinementDelta(0)  # no constancy of brightness, only of its gradient

    def place(self, which: np.ndarray) -> tuple[Tensor, View]:
        """Motion (T, M) and view of those frames, as fitted to the landmarks."""
        pose = self.poses[which]
        return self.motion[which], View(self.camera_matrix, pose[:, :3, :3], pose[:, :3, 3])

    def reference(self, greys: list[np.ndarray], which: np.ndarray) -> Skin:
        """The mean texture of those frames, whose pictures (H, W) uint8 are given, each corrected by the others."""
        rough = self.skin(greys, *self.place(which))
        return self.skin(greys, *self.correct(greys, which, rough))

    def skin(self, greys: list[np.ndarray], motion: Tensor, view: View) -> Skin:
        """The mean texture of pictures (H, W) uint8."""
        look = self.look(greys, motion, view)
        weight = (look.seen * look.facing**2).astype(np.float32)
        total = weight.sum(0)
        known = total > 0.5
        return Skin(even_out((look.textures * weight).sum(0) / total.clip(1e-3), known), known)

    def look(self, greys: list[np.ndarray], motion: Tensor, view: View) -> Look:
        """Draw pictures onto the chart."""
        with torch.no_grad():
            camera = self.nodes.points(self.shape, motion) @ view.rotation.mT + view.translation[:, None]
            pixels = camera[..., :2] / camera[..., 2:] * self.camera_matrix[0, 0] + self.camera_matrix[:2, 2]
        nodes = (len(greys), HEIGHT // COARSE, WIDTH // COARSE)
        facing = np.array([_between(one) for one in _facing(camera.numpy().reshape(*nodes, 3))])
        where = np.array([_between(one) for one in pixels.numpy().reshape(*nodes, 2)])
        textures = np.array([cv2.remap(g, w, None, cv2.INTER_LINEAR) for g, w in zip(greys, where, strict=True)])
        size = np.array(greys[0].shape[::-1])
        inside = self.inside & (facing > FACING) & ((where >= 0) & (where <= size - 1)).all(3)
        seen = np.array([cv2.erode(one.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0 for one in inside])
        return Look(where, textures, facing, seen)

    def flow(self, look: Look, skin: Skin) -> tuple[Tensor, Tensor]:
        """Where the skin at the samples is in the pictures (T, N, 2), pixels, and whether it is seen (T, N)."""
        found, seen = [], []
        for where, own, visible in zip(look.where, look.textures, look.seen, strict=True):
            there = _GRID + self._flow.calc(skin.texture, even_out(own, visible), None)
            landed = cv2.remap(visible.astype(np.uint8), there, None, cv2.INTER_NEAREST) > 0
            found.append(cv2.remap(where, there, None, cv2.INTER_LINEAR).reshape(-1, 2)[self.samples])
            seen.append((visible & skin.known & landed).ravel()[self.samples])
        return torch.from_numpy(np.array(found)), torch.from_numpy(np.array(seen))

    def correct(self, greys: list[np.ndarray], which: np.ndarray, skin: Skin) -> tuple[Tensor, View]:
        """Motion (T, M) and view of those frames, corrected by their pictures (H, W) uint8."""
        start, view = self.place(which)
        detected = torch.from_numpy(self.detected[self.frames[which]][:, self.seen478, :2]).float()
        motion, strayed = start, torch.zeros(len(which), 6)
        for _ in range(STEPS):
            target, seen = self.flow(self.look(greys, motion, view), skin)
            about = self.marks.points(self.shape, motion).mean(1)
            rest, derivative = _linearised(self.points, self.shape, motion, view, about, target)
            mark_rest, by_marks = _linearised(self.marks, self.shape, motion, view, about, detected)
            by_marks = (by_marks * self.mark_weight[..., None]).flatten(1, 2)
            prior = by_marks.mT @ by_marks
            prior[:, :6, :6] += torch.diag(_POSE_PRECISION)
            prior[:, 6:, 6:] += self.precision
            pull = (by_marks.mT @ (mark_rest * self.mark_weight).flatten(1)[..., None])[..., 0]
            pull[:, :6] -= strayed * _POSE_PRECISION
            pull[:, 6:] += (start - motion) @ self.precision
            depth = view.translation[:, 2:]
            variance = self.variance + (PIXEL_SD * depth / self.camera_matrix[0, 0]) ** 2
            left = rest
            for _ in range(3):  # robust by reweighting: Student's t
                robust = seen / (1 + left.square().sum(2) / (6 * variance))
                weight = (robust * COUNT / variance / seen.sum(1, keepdim=True).clamp_min(1)).sqrt()[..., None]
                columns = (derivative * weight[..., None]).flatten(1, 2)
                matrix = prior + columns.mT @ columns
                vector = pull + (columns.mT @ (rest * weight).flatten(1)[..., None])[..., 0]
                step = torch.linalg.solve(matrix, vector)
                left = rest - (derivative @ step[:, None, :, None])[..., 0]
            # motion into its box, then the pose that goes with it
            by_pose = torch.linalg.solve(matrix[:, :6, :6], torch.cat([matrix[:, :6, 6:], vector[:, :6, None]], 2))
            precision = matrix[:, 6:, 6:] - matrix[:, 6:, :6] @ by_pose[..., :-1]
            boxed = into_box((motion + step[:, 6:]).double().numpy(), precision.double().numpy(), self.bounded)
            moved = torch.from_numpy(boxed).float()
            turn = by_pose[..., -1] - (by_pose[..., :-1] @ (moved - motion)[..., None])[..., 0]
            motion, strayed, view = moved, strayed + turn, view.moved(about, turn)
        return motion, view


def _linearised(
    model: PointModel, shape: Tensor, motion: Tensor, view: View, about: Tensor, target: Tensor
) -> tuple[Tensor, Tensor]:
    """How far `target` (T, K, 2), pixels, lies from the model's points, metres, and the derivative (T, K, 2, 6 + M) of
    the points by a pose step about `about` (T, 3) and by motion.
    """
    points, by_motion, _ = model.derivatives(shape, motion, by_shape=False)
    derivative = torch.cat([view.derivative_by_pose(points, about), view.derivative(points, by_motion)], 3)
    return view.residual(target, points), derivative


def _between(nodes: np.ndarray) -> np.ndarray:
    """A field on every `COARSE`th cell of the chart, on all of them."""
    return cv2.remap(nodes, *_NODE.transpose(2, 0, 1), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _facing(place: np.ndarray) -> np.ndarray:
    """Cosine (T, H, W) between the skin's normal and the view of places (T, H, W, 3) on a grid, camera frame."""
    normal = np.cross(np.gradient(place, axis=2), np.gradient(place, axis=1))
    length = np.linalg.norm(normal, axis=3) * np.linalg.norm(place, axis=3)
    return np.einsum("thwi,thwi->thw", normal, place) / (length + 1e-12)


def even_out(texture: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Texture (HEIGHT, WIDTH) with the same mean and contrast everywhere, so that light matters little; uint8."""

    def blur(x: np.ndarray) -> np.ndarray:
        return cv2.GaussianBlur(x, (0, 0), DETAIL)

    weight = seen.astype(np.float32)
    share = blur(weight) + 1e-3
    rest = (texture - blur(texture * weight) / share) * weight
    spread = np.sqrt(blur(rest * rest) / share + 9)
    return np.clip(128 + 45 * rest / spread, 0, 255).astype(np.uint8)
