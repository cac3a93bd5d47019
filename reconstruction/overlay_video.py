"""The fitted mesh drawn over a recording, to see with one's own eyes whether the fit is right."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from scipy.spatial import Delaunay

from reconstruction.camera import project
from reconstruction.errors import InputError
from reconstruction.rendering import Renderer
from reconstruction.sequence import STATEMENT, FaceSequence
from reconstruction.template import Template
from reconstruction.video import open_video
from reconstruction.video_writer import VideoWriter

MESH_COLOUR = (214, 214, 210)  # sRGB, a grey that shows the shading
LINE_COLOUR = (255, 214, 0)  # of the fitted outlines; no face has it
OPACITY = 0.68
LIGHT = (-0.80, -0.65, -0.40)  # from the viewer's upper left, low enough that every fold throws a shade
GROWTH = 1.04  # the mask ends a little beyond the outermost detector points: at hairline, cheekbones and jaw
OUTLINES = (  # runs of the 68 landmarks and whether they close
    (range(17, 22), False), (range(22, 27), False), (range(27, 31), False), (range(31, 36), False),
    (range(36, 42), True), (range(42, 48), True), (range(48, 60), True), (range(60, 68), True),
)  # fmt: skip
_IRISES = ((468, (469, 470, 471, 472)), (473, (474, 475, 476, 477)))  # detector points: centre, four on the rim
_STEP = 32  # pixels by which a window grows, so that the frame buffer is seldom made anew
_BATCH = 32


class MeshOverlay:
    """Draws a fitted face over frames of one size: a shaded mask with openings where the fit opens eyes and mouth.

    The real eyes, teeth and tongue show through the openings. Lines mark the fitted brows, nose, lids, lips and irises.
    """

    def __init__(self, template: Template, renderer: Renderer):
        self.template, self.renderer = template, renderer
        points = template.landmarks478(template.v_template)[template.visible478]
        centre = points.mean(0)[:2]
        ahead = template.v_template[:, 2] > points[:, 2].min()  # ears are not
        within = Delaunay(points[:, :2]).find_simplex(centre + (template.v_template[:, :2] - centre) / GROWTH) >= 0
        skin = ahead & within & template.skin
        self._faces = template.faces[skin[template.faces].all(1)]
        self._used = np.unique(self._faces)
        self._faces = np.searchsorted(self._used, self._faces)
        grey = np.full((len(self._used), 3), MESH_COLOUR)
        darker = {"lips": 0.8, "brow": 0.55}
        for part, share in darker.items():
            grey[template.part(part)[self._used]] = np.round(np.array(MESH_COLOUR) * share)
        self._colours = grey.astype(np.uint8)

    def draw(
        self, rgb: np.ndarray, vertices: np.ndarray, camera_matrix: np.ndarray, camera_from_head: np.ndarray
    ) -> np.ndarray:
        """A frame (H, W, 3) uint8 with the fitted face over it.

        vertices : (V, 3) metres, head frame; camera_matrix (3, 3), camera_from_head (4, 4)
        """
        out = np.ascontiguousarray(rgb).copy()
        height, width = out.shape[:2]
        shown = vertices[self._used]
        window = _window(project(shown, camera_matrix, camera_from_head), width, height)
        if window is None:
            return out
        left, top, wide, high = window
        part = out[top : top + high, left : left + wide]
        picture, depth = self.renderer.render(
            shown, self._faces, self._colours, camera_matrix, camera_from_head,
            background=part, light=LIGHT, ambient=0.06, intensity=1.05, window=window,
        )  # fmt: skip
        cv2.addWeighted(picture, OPACITY, part, 1 - OPACITY, 0, dst=part)
        self._lines(part, depth > 0, vertices, camera_matrix, camera_from_head, (left, top), height)
        return out

    def _lines(
        self,
        part: np.ndarray,
        covered: np.ndarray,
        vertices: np.ndarray,
        camera_matrix: np.ndarray,
        camera_from_head: np.ndarray,
        corner: tuple[int, int],
        height: int,
    ) -> None:
        """The outlines on the picture `part`; irises only in the openings, `covered` (H, W) bool is the mask."""
        thickness = max(1, round(height / 540))

        def pixels(points: np.ndarray) -> np.ndarray:
            return project(points, camera_matrix, camera_from_head) - corner

        def line(canvas: np.ndarray, points: np.ndarray, closed: bool) -> None:
            fixed = np.round(points * 16).astype(np.int32)
            cv2.polylines(canvas, [fixed[:, None]], closed, LINE_COLOUR, thickness, cv2.LINE_AA, shift=4)

        marks = pixels(self.template.landmarks68(vertices))
        for run, closed in OUTLINES:
            line(part, marks[list(run)], closed)
        rims = pixels(self.template.landmarks478(vertices))
        with_irises = part.copy()
        turn = np.linspace(0, 2 * np.pi, 24, endpoint=False)[:, None]
        for centre, (a, b, c, d) in _IRISES:
            if self.template.visible478[[centre, a, b, c, d]].all():
                circle = rims[centre] + np.cos(turn) * (rims[a] - rims[c]) / 2 + np.sin(turn) * (rims[b] - rims[d]) / 2
                line(with_irises, circle, True)
        np.copyto(part, with_irises, where=~covered[..., None])


def _window(pixels: np.ndarray, width: int, height: int) -> tuple[int, int, int, int] | None:
    """Left, top, width and height of the part of a picture that holds the points; None where it holds none."""
    low = np.floor(np.clip(pixels.min(0) - 3, 0, (width, height))).astype(int)
    high = np.ceil(np.clip(pixels.max(0) + 4, 0, (width, height))).astype(int)
    if not (high > low).all():
        return None
    size = np.minimum(-(-(high - low) // _STEP) * _STEP, (width, height))
    left, top = np.minimum(low, (width, height) - size)
    return int(left), int(top), int(size[0]), int(size[1])


def draw_overlay(
    rgb: np.ndarray,
    vertices: np.ndarray,
    template: Template,
    camera_matrix: np.ndarray,
    camera_from_head: np.ndarray,
    renderer: Renderer,
) -> np.ndarray:
    """One frame of `MeshOverlay`."""
    return MeshOverlay(template, renderer).draw(rgb, vertices, camera_matrix, camera_from_head)


def write_overlay(
    video: str | Path,
    sequence: FaceSequence,
    template: Template,
    out: str | Path,
    *,
    fps: str | float = "native",
    progress: Callable[[str, int, int], None] | None = None,
) -> Path:
    """Draw `sequence` over the recording it was made from; returns the path, which ends in ``.webm`` (or ``.mp4``).

    fps : what the reconstruction was made with
    progress : called with ('overlay', frames done, frames in all)

    Raises
    ------
    InputError
        The recording has another size or other frames than the sequence, or there is no encoder.
    """
    sequence.check_template(template)
    recording = open_video(video, fps)
    if recording.size != tuple(sequence.image_size):
        raise InputError(
            f"expected the recording the parameters were made from, {sequence.image_size} pixels, but {video} has "
            f"{recording.size}; pass that recording."
        )
    overlay = MeshOverlay(template, Renderer(*recording.size))
    poses = sequence.camera_from_head
    vertices = np.zeros((0, 0, 3), np.float32)
    caption = STATEMENT + (" - simulated person" if sequence.simulated else "")
    with VideoWriter(out, *recording.size, recording.frame_rate) as writer:
        for i, (_, time, rgb) in enumerate(recording):
            if i >= len(sequence) or abs(time - sequence.time_s[i]) > 0.5 / recording.native_rate:
                raise InputError(
                    f"expected the frames the parameters were made from, but frame {i} of {video} at {time:.3f} s is "
                    "not among them; use the same fps as for the reconstruction."
                )
            if i % _BATCH == 0:
                vertices = sequence.vertices(template, slice(i, i + _BATCH))
            frame = rgb
            if sequence.valid[i]:
                frame = overlay.draw(rgb, vertices[i % _BATCH], sequence.camera_matrix, poses[i])
            else:
                frame = _captioned(rgb, f"left out: {sequence.reason_names[sequence.reason[i]]}", top=True)
            writer.write(_captioned(frame, caption, top=False))
            if progress:
                progress("overlay", i + 1, len(sequence))
    return Path(out)


def _captioned(rgb: np.ndarray, text: str, *, top: bool) -> np.ndarray:
    out = np.ascontiguousarray(rgb).copy()
    height = out.shape[0]
    scale = height / 900
    place = (round(0.02 * height), round((0.07 if top else 0.98) * height))
    for colour, thickness in (((0, 0, 0), 3), ((255, 255, 255), 1)):
        cv2.putText(out, text, place, cv2.FONT_HERSHEY_SIMPLEX, scale, colour, thickness, cv2.LINE_AA)
    return out
