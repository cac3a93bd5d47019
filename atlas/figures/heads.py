"""Pictures of one head: a mesh from the side one asks for, evenly lit where its colours mean something."""

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy import ndimage

from reconstruction.rendering import Renderer, look_at_camera
from reconstruction.template import Template

VIEWS = {"front": 0.0, "three-quarter": np.deg2rad(35.0), "profile": np.deg2rad(90.0)}  # yaw, radians
WIDTHS = {"front": 0.52, "three-quarter": 0.60, "profile": 0.66}  # share of the frame's width that the head needs
HEIGHT = 440  # pixels
_FRAME = 1.36  # the frame that holds a head from every side, width over height
PAPER = (255, 255, 255)
SKIN_LIGHT = (0.42, 0.68)  # ambient, intensity
MAP_LIGHT = (0.80, 0.22)  # light shading: the form shows, the colours stay readable
LINE = (35, 35, 35)
_OVERSAMPLING = 2  # rendered larger and averaged down, against jagged edges
_SMALLEST_ISLAND = 60  # pixels of the large picture; smaller pieces of a mask are dots, not areas


@dataclass(frozen=True)
class HeadPainter:
    """Draws heads of one template, all at the same size.

    template : whose faces and colours are drawn
    height : pixels of a picture; the width is what the head needs from that side, the scale is the same from all
    """

    template: Template
    height: int = HEIGHT

    def draw(
        self,
        vertices: np.ndarray,
        colours: np.ndarray | None = None,
        view: str = "front",
        outline: np.ndarray | None = None,
    ) -> np.ndarray:
        """One head, (H, W, 3) uint8 sRGB on white.

        vertices : (V, 3) metres, head frame
        colours : (V, 3) uint8 sRGB that mean something, drawn under even light; the template's own under a key light
            where none are given
        view : one of `VIEWS`
        outline : (V,) bool; a dark line is drawn round the areas where it holds
        """
        height = self.height * _OVERSAMPLING
        width = round(self.height * _FRAME) * _OVERSAMPLING
        renderer = Renderer(width, height)
        camera_matrix, camera_from_head = look_at_camera(vertices, width, height, VIEWS[view])
        ambient, intensity = SKIN_LIGHT if colours is None else MAP_LIGHT
        shown = self.template.colours if colours is None else colours
        faces = self.template.faces
        rgb, depth = renderer.render(
            vertices,
            faces,
            shown,
            camera_matrix,
            camera_from_head,
            background=PAPER,
            ambient=ambient,
            intensity=intensity,
        )
        if outline is not None and outline.any():
            flat = np.repeat(np.where(outline, 255, 0)[:, None], 3, 1).astype(np.uint8)
            mask, _ = renderer.render(
                vertices, faces, flat, camera_matrix, camera_from_head, background=(0, 0, 0), ambient=1.0, intensity=0.0
            )
            rgb = np.where(_edge(mask[..., 0] > 127, depth > 0)[..., None], np.array(LINE, np.uint8), rgb)
        size = round(WIDTHS[view] * self.height * _FRAME), self.height
        left = width // 2 - size[0] * _OVERSAMPLING // 2
        large = Image.fromarray(rgb[:, left : left + size[0] * _OVERSAMPLING])
        return np.asarray(large.resize(size, Image.Resampling.BOX))


def _edge(mask: np.ndarray, covered: np.ndarray) -> np.ndarray:
    """(H, W) bool: a line of some three pixels along the inside of the mask's areas, not along the head's own edge."""
    pieces, n = ndimage.label(mask)
    large = np.flatnonzero(np.bincount(pieces.ravel(), minlength=n + 1) >= _SMALLEST_ISLAND)
    mask = np.isin(pieces, large[large > 0])
    covered = ndimage.binary_erosion(covered)  # the outermost pixels are half background
    inner = ndimage.binary_erosion(mask | ~covered, iterations=3, border_value=1)
    return mask & ~inner & ndimage.binary_erosion(covered, iterations=2)


def strip(pictures: list[np.ndarray], gap: int = 12) -> np.ndarray:
    """Pictures of one height side by side on white, (H, W, 3) uint8."""
    space = np.full((pictures[0].shape[0], gap, 3), 255, np.uint8)
    parts = [part for picture in pictures for part in (picture, space)][:-1]
    return np.concatenate(parts, 1)


def png(picture: np.ndarray) -> bytes:
    """A picture (H, W, 3) uint8 as PNG: the same bytes for the same pixels, no date inside."""
    packed = io.BytesIO()
    Image.fromarray(picture).save(packed, "PNG")
    return packed.getvalue()
