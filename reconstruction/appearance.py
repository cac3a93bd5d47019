"""What the skin shows that landmarks do not: lowered brows, wrinkled noses, raised cheeks.

The person's own texture is followed on the mesh. A frame's picture is drawn onto the `chart` with the mesh where the
landmarks put it; were the mesh right, the skin would stand still from frame to frame. How far it is off from a
reference `texture`, the mean over a dozen frames, is measured in windows all over the face. Gauss-Newton corrects
motion and head pose of every frame by these offsets and the landmarks together, with the landmarks' fit and its own
uncertainty as the prior, and draws the picture anew: coarsely at first, which sees far, then finely. How far the
offsets can be trusted where (the forehead more than the lips) is learnt in calibration from films with known motion.
"""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

import cv2
import numpy as np
import torch
from torch import Tensor

from reconstruction.camera import spread_frames
from reconstruction.chart import WIDTH, make_chart
from reconstruction.drawing import Canvas, Look, Pictures
from reconstruction.face_model import rotation_matrix
from reconstruction.fitting import Fit, into_box
from reconstruction.projection import PointModel, View
from reconstruction.refinement import point_weight
from reconstruction.template import Template
from reconstruction.texture import COLUMNS, EVERY, ROWS, Texture

KEY_FRAMES = 20  # that the reference texture is the mean of
REFERENCES = 3  # times that it is drawn, each with the frames corrected by the last
STEPS = (4, 2, 2, 1, 1, 1)  # each draws the picture anew, with a pixel for so many cells
FINEST = min(STEPS)
FARTHER = 1.3  # times as far as a window says, which falls short where skin stretches: over-relaxation
PIXEL_SD = 0.2  # of a pixel, added to what the calibration knows of the offsets: small faces are followed less well
COUNT = 160.0  # what all the offsets of a frame together count as: neighbours err alike
LANDMARKS, PRIOR = 0.25, 1.5  # what these count against the offsets, times what they say of themselves. Chosen, as
# what is above and below, on renders of people that no calibration has seen
DEGREES = 3.0  # of freedom of Student's t, by which offsets err
ROUNDS = 2  # of weighing them by it, in the last step; the others are taken again anyway
TURN_SD, SHIFT_SD = 0.05, 0.005  # of the landmarks' head pose, radians and metres
AT_ONCE = 16  # frames
_POSE_PRECISION = torch.tensor([TURN_SD**-2] * 3 + [SHIFT_SD**-2] * 3, dtype=torch.float32)
Skin = dict[int, Texture]  # by cells a pixel


Frames = Iterable[tuple[int, float, np.ndarray]]


def follow_skin(video: Frames, template: Template, fit: Fit, progress: Callable[[int, int], None] | None = None) -> Fit:
    """`fit` to the landmarks of a recording, with motion and camera from head corrected by its pictures.

    video : a `Video`, or anything else that gives ``(index, time_s, picture)`` from the start whenever it is iterated;
        pictures (H, W, 3) RGB or (H, W) grey, uint8
    progress : called with frames done and frames in all

    The recording is decoded twice more; frames are corrected a few at a time, on two processors at most, which changes
    nothing in the result.
    """
    if len(fit.frames) < 2:
        return fit
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # frames, not matrices, are shared out
    try:
        follower = Follower(template, fit)
        key = key_frames(len(fit.frames))
        skin = follower.reference([grey for _, grey in _greys(video, fit.frames[key])], key)
        motion, camera_from_head = fit.motion.copy(), fit.camera_from_head.copy()

        def put(which: np.ndarray, corrected: tuple[Tensor, View]) -> None:
            moved, view = corrected
            motion[which] = moved.numpy()
            camera_from_head[which, :3, :3] = view.rotation.numpy()
            camera_from_head[which, :3, 3] = view.translation.numpy()
            if progress:
                progress(int(which[-1]) + 1, len(fit.frames))

        workers = min(2, os.cpu_count() or 1)
        with ThreadPoolExecutor(workers) as pool:
            under_way: deque[tuple[np.ndarray, Future]] = deque()
            for which, greys in _batches(video, fit.frames):
                under_way.append((which, pool.submit(follower.correct, greys, which, skin)))
                while len(under_way) > workers:
                    which, future = under_way.popleft()
                    put(which, future.result())
            for which, future in under_way:
                put(which, future.result())
    finally:
        torch.set_num_threads(threads)
    return replace(fit, motion=motion, camera_from_head=camera_from_head)


def key_frames(count: int) -> np.ndarray:
    """Which of so many frames the reference texture is the mean of."""
    return spread_frames(count, KEY_FRAMES)


def _greys(video: Frames, frames: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Number in `frames`, which rise, and picture (H, W) uint8."""
    n = 0
    for count, (_, _, picture) in enumerate(video):
        if count == frames[n]:
            yield n, picture if picture.ndim == 2 else cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
            n += 1
            if n == len(frames):
                return


def _batches(video: Frames, frames: np.ndarray) -> Iterator[tuple[np.ndarray, list[np.ndarray]]]:
    """Numbers in `frames` and their pictures, `AT_ONCE` at a time."""
    numbers, greys = [], []
    for n, grey in _greys(video, frames):
        numbers.append(n)
        greys.append(grey)
        if len(numbers) == AT_ONCE or n == len(frames) - 1:
            yield np.array(numbers), greys
            numbers, greys = [], []


class Follower:
    """The chart of a person of known shape before the camera.

    samples : (N,) which of the ROWS * COLUMNS windows are used, every second like a chessboard's
    """

    def __init__(self, template: Template, fit: Fit):
        chart = make_chart(template, EVERY)
        used = chart.inside & (np.indices(chart.inside.shape).sum(0) % 2 == 0)
        self.samples = np.flatnonzero(used)
        self.variance = torch.from_numpy(fit.skin_sd[used]).float() ** 2
        self.points = PointModel(template, chart.embedding.of(used.ravel())).float()
        self.marks = PointModel(template, template.landmarks478.of(template.visible478)).float()
        self.mark_weight = torch.from_numpy(LANDMARKS**0.5 * point_weight(fit.point_sd[template.visible478])).float()[
            :, None
        ]
        self.seen478 = template.visible478
        self.detected, self.frames = fit.points, fit.frames
        self.bounded = template.n_bounded
        self.shape, self.motion, self.poses, self.precision, self.camera_matrix = (
            torch.tensor(a, dtype=torch.float32)
            for a in (fit.shape, fit.motion, fit.camera_from_head, PRIOR * fit.motion_precision, fit.camera_matrix)
        )
        self.canvas = Canvas(template, STEPS, self.shape, self.camera_matrix, float(self.poses[:, 2, 3].median()))
        still = torch.zeros(1, self.motion.shape[1])
        with torch.no_grad():
            self.directions = self.points.derivatives(self.shape, still, by_shape=False)[1][0]
            self.mark_directions = self.marks.derivatives(self.shape, still, by_shape=False)[1][0]

    def place(self, which: np.ndarray) -> tuple[Tensor, View]:
        """Motion (T, M) and view of those frames, as fitted to the landmarks."""
        pose = self.poses[which]
        return self.motion[which], View(self.camera_matrix, pose[:, :3, :3], pose[:, :3, 3])

    def reference(self, greys: list[np.ndarray], which: np.ndarray) -> Skin:
        """The mean texture of those frames, whose pictures (H, W) uint8 are given, each corrected by the others."""
        pictures = self.canvas.pictures(greys)
        skin = self.skin(pictures, *self.place(which))
        for _ in range(REFERENCES - 1):
            skin = self.skin(pictures, *self.correct(greys, which, skin))
        return skin

    def skin(self, pictures: Pictures, motion: Tensor, view: View) -> Skin:
        """Their mean texture."""
        out = {}
        for cells in self.canvas.inside:
            look = self.canvas.look(pictures, motion, view, cells)
            weight = look.seen * look.facing**2
            total = weight.sum(0)
            out[cells] = Texture((look.drawings * weight).sum(0) / total.clip(1e-3), total > 0.5)
        return out

    def offsets(self, look: Look, skin: Skin) -> tuple[Tensor, Tensor, Tensor]:
        """How far the skin at the samples is from where the mesh has it (T, N, 2), pixels, the covariance that its
        texture leaves (T, N, 2, 2), and whether it is seen (T, N).
        """
        texture = skin[WIDTH // look.seen.shape[2]]
        found = [texture.offset(*one) for one in zip(look.drawings, look.seen, strict=True)]
        offset, unsure, seen = (
            torch.from_numpy(np.array(part).reshape(len(found), ROWS * COLUMNS, -1)[:, self.samples])
            for part in zip(*found, strict=True)
        )
        step = np.stack([np.gradient(look.pixels, axis=axis) / EVERY for axis in (2, 1)], -1)
        pixels = torch.from_numpy(step.reshape(len(found), -1, 2, 2)[:, self.samples])
        covariance = pixels @ torch.stack([unsure[..., :2], unsure[..., 1:]], -2) @ pixels.mT
        return (pixels @ offset[..., None])[..., 0], covariance, seen[..., 0]

    @torch.no_grad()
    def correct(self, greys: list[np.ndarray], which: np.ndarray, skin: Skin) -> tuple[Tensor, View]:
        """Motion (T, M) and view of those frames, corrected by their pictures (H, W) uint8.

        The landmarks and the prior are a quadratic about where they were fitted.
        """
        pictures = self.canvas.pictures(greys)
        motion, view = self.place(which)
        about = self.marks.points(self.shape, motion).mean(1)
        matrix, vector = self._by_landmarks(which, motion, view, about)
        moved = torch.zeros_like(vector)
        for n, cells in enumerate(STEPS):
            look = self.canvas.look(pictures, motion, view, cells)
            offset, unsure, seen = self.offsets(look, skin)
            points = look.places[:, self.samples]
            depth = (points @ view.rotation.mT + view.translation[:, None])[..., 2].mean(1)
            scale = (depth / self.camera_matrix[0, 0])[:, None, None]
            own = self.variance + (PIXEL_SD * scale[..., 0]) ** 2
            covariance = unsure * scale[..., None] ** 2 + torch.diag_embed(own[..., None].expand(-1, -1, 2))
            rest = FARTHER * _whiten((offset * scale)[..., None], covariance)[..., 0]
            columns = _columns(_whiten(_lens(self.points, points, motion, view, about), covariance), self.directions)
            share = COUNT * seen / seen.sum(1, keepdim=True).clamp_min(1)
            left = rest
            for _ in range(ROUNDS if n == len(STEPS) - 1 else 1):
                weight = (share / (1 + left.square().sum(2) / (2 * DEGREES))).sqrt()[..., None]
                weighted = (columns * weight[..., None]).flatten(1, 2)
                here = matrix + weighted.mT @ weighted
                pull = vector - (matrix @ moved[..., None])[..., 0]
                pull += (weighted.mT @ (rest * weight).flatten(1)[..., None])[..., 0]
                step = torch.linalg.solve(here, pull)
                left = rest - (columns.flatten(1, 2) @ step[..., None]).unflatten(1, (-1, 2))[..., 0]
            # motion into its box, then the pose that goes with it
            by_pose = torch.linalg.solve(here[:, :6, :6], torch.cat([here[:, :6, 6:], pull[:, :6, None]], 2))
            precision = here[:, 6:, 6:] - here[:, 6:, :6] @ by_pose[..., :-1]
            boxed = into_box((motion + step[:, 6:]).double().numpy(), precision.double().numpy(), self.bounded)
            by_motion = torch.from_numpy(boxed).float() - motion
            turn = by_pose[..., -1] - (by_pose[..., :-1] @ by_motion[..., None])[..., 0]
            motion, view = motion + by_motion, view.moved(about, turn)
            moved = moved + torch.cat([turn, by_motion], 1)
        return motion, view

    def _by_landmarks(self, which: np.ndarray, motion: Tensor, view: View, about: Tensor) -> tuple[Tensor, Tensor]:
        """What landmarks and prior know of a step of pose and motion: (T, 6 + M, 6 + M) and (T, 6 + M)."""
        detected = torch.from_numpy(self.detected[self.frames[which]][:, self.seen478, :2]).float()
        points = self.marks.points(self.shape, motion)
        rest = view.residual(detected, points) * self.mark_weight
        lens = _lens(self.marks, points, motion, view, about) * self.mark_weight[..., None]
        columns = _columns(lens, self.mark_directions).flatten(1, 2)
        matrix = columns.mT @ columns
        matrix[:, :6, :6] += torch.diag(_POSE_PRECISION)
        matrix[:, 6:, 6:] += self.precision
        return matrix, (columns.mT @ rest.flatten(1)[..., None])[..., 0]


def _lens(model: PointModel, points: Tensor, motion: Tensor, view: View, about: Tensor) -> Tensor:
    """How `points` (T, K, 3) of the model move before the camera (T, K, 2, 6 + 3), metres, by a pose step about `about`
    (T, 3) and by a shift at rest, which turns with the skin.
    """
    turned = model.blend(rotation_matrix(model.pose(motion)).flatten(2)).unflatten(2, (3, 3))
    return torch.cat([view.derivative_by_pose(points, about), view.derivative(points, turned)], 3)


def _columns(lens: Tensor, directions: Tensor) -> Tensor:
    """Derivative (T, K, 2, 6 + M) by pose and motion, which shifts points at rest by `directions` (K, 3, M)."""
    return torch.cat([lens[..., :6], torch.einsum("tkij,kjm->tkim", lens[..., 6:], directions)], 3)


def _whiten(field: Tensor, covariance: Tensor) -> Tensor:
    """(..., 2, D) whose two rows err by `covariance` (..., 2, 2), made to err by 1 and independently."""
    (xx, xy), (_, yy) = (row.unbind(-1) for row in covariance.unbind(-2))
    first = field[..., 0, :] * xx.rsqrt()[..., None]
    rest = field[..., 1, :] - field[..., 0, :] * (xy / xx)[..., None]
    return torch.stack([first, rest * (yy - xy * xy / xx).clamp_min(1e-12).rsqrt()[..., None]], -2)
