"""The fitted mesh drawn over a recording, to see with one's own eyes whether the fit is right."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from reconstruction.camera import project
from reconstruction.errors import InputError
from reconstruction.rendering import Renderer
from reconstruction.sequence import STATEMENT, FaceSequence
from reconstruction.template import Template
from reconstruction.video import open_video
from reconstruction.video_writer import VideoWriter

MESH_COLOUR = (150, 185, 215)  # sRGB; no skin has it, so that mesh and face stay apart
OPACITY = 0.55
_BATCH = 32


def draw_overlay(
    rgb: np.ndarray,
    vertices: np.ndarray,
    template: Template,
    camera_matrix: np.ndarray,
    camera_from_head: np.ndarray,
    renderer: Renderer,
) -> np.ndarray:
    """A frame (H, W, 3) uint8 with the mesh, half transparent, and its 68 landmarks.

    vertices : (V, 3) metres, head frame; camera_matrix (3, 3), camera_from_head (4, 4)
    """
    colours = np.tile(np.array(MESH_COLOUR, np.uint8), (len(vertices), 1))
    dark = template.colours.astype(float).mean(1) < 90  # brows, lashes, pupils, the mouth's inside: keep them apart
    colours[dark] = (60, 75, 95)
    picture, depth = renderer.render(
        vertices, template.faces, colours, camera_matrix, camera_from_head, background=rgb, ambient=0.25, intensity=0.8
    )
    mixed = np.where(depth[..., None] > 0, OPACITY * picture + (1 - OPACITY) * rgb, rgb)
    out = np.ascontiguousarray(np.round(mixed).astype(np.uint8))
    radius = max(1, round(rgb.shape[0] / 400))
    for x, y in project(template.landmarks68(vertices), camera_matrix, camera_from_head):
        if np.isfinite([x, y]).all() and abs(x) < 1e5 and abs(y) < 1e5:
            cv2.circle(out, (round(float(x)), round(float(y))), radius, (255, 230, 40), -1, cv2.LINE_AA)
    return out


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
    renderer = Renderer(*recording.size)
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
                frame = draw_overlay(rgb, vertices[i % _BATCH], template, sequence.camera_matrix, poses[i], renderer)
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
