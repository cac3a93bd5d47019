"""Pictures of one head: a mesh from the side one asks for, evenly lit where its colours mean something."""

import io
from dataclasses import dataclass

import numpy as np
from contourpy import LineType, contour_generator
from PIL import Image, ImageDraw
from scipy import ndimage

from reconstruction.rendering import Renderer, in_camera, look_at_camera
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
HATCH, HATCH_SHARE = (120, 120, 120), 0.75


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
        dashed: np.ndarray | None = None,
        hatched: np.ndarray | None = None,
    ) -> np.ndarray:
        """One head, (H, W, 3) uint8 sRGB on white.

        vertices : (V, 3) metres, head frame
        colours : (V, 3) uint8 sRGB that mean something, drawn under even light; the template's own under a key light
            where none are given
        view : one of `VIEWS`
        outline, dashed : (V,) 0 to 1; a solid and a thinner dashed line run where they pass 0.5, on the skin
        hatched : (V,) 0 to 1; grey stripes cover the skin where it is above 0.5
        """
        size, camera_matrix, camera_from_head = self._camera(vertices, view)
        renderer = Renderer(*size)

        def render(colours: np.ndarray, paper: tuple[int, int, int], ambient: float, intensity: float) -> np.ndarray:
            return renderer.render(
                vertices, self.template.faces, colours, camera_matrix, camera_from_head,
                background=paper, ambient=ambient, intensity=intensity,
            )[0]  # fmt: skip

        light = SKIN_LIGHT if colours is None else MAP_LIGHT
        rgb = render(self.template.colours if colours is None else colours, PAPER, *light)
        if any(field is not None for field in (outline, dashed, hatched)):
            fields = [np.zeros(len(vertices)) if f is None else f for f in (outline, dashed, hatched)]
            shown = render(np.round(255 * np.clip(np.stack(fields, 1), 0, 1)).astype(np.uint8), (0, 0, 0), 1.0, 0.0)
            skin = render(np.repeat(255 * self.template.skin[:, None], 3, 1).astype(np.uint8), (0, 0, 0), 1.0, 0.0)
            rgb = self._annotated(rgb, shown, skin[..., 0] > 127)
        width, left = self._frame(view)
        large = Image.fromarray(rgb[:, left : left + width * _OVERSAMPLING])
        return np.asarray(large.resize((width, self.height), Image.Resampling.BOX))

    def fields(self, vertices: np.ndarray, values: np.ndarray, view: str = "front") -> np.ndarray:
        """(H, W, K) 0 to 1: K values (V, K) of 0 to 1 between the vertices, in the picture of `vertices`; 0 off it."""
        size, camera_matrix, camera_from_head = self._camera(vertices, view)
        renderer, (width, left) = Renderer(*size), self._frame(view)
        out = []
        for first in range(0, values.shape[1], 3):  # three fit into the channels of a picture
            part = np.zeros((len(vertices), 3), np.uint8)
            some = values[:, first : first + 3]
            part[:, : some.shape[1]] = np.round(255 * np.clip(some, 0, 1))
            rgb, _ = renderer.render(
                vertices, self.template.faces, part, camera_matrix, camera_from_head,
                background=(0, 0, 0), ambient=1.0, intensity=0.0,
            )  # fmt: skip
            large = Image.fromarray(rgb[:, left : left + width * _OVERSAMPLING])
            out.append(np.asarray(large.resize((width, self.height), Image.Resampling.BOX))[..., : some.shape[1]] / 255)
        return np.concatenate(out, 2)

    def place(self, points: np.ndarray, vertices: np.ndarray, view: str = "front") -> np.ndarray:
        """(K, 2) pixels, x right and y down, of points (K, 3) in the picture of `vertices`; hidden ones too."""
        _, camera_matrix, camera_from_head = self._camera(vertices, view)
        seen = in_camera(points, camera_from_head)
        pixels = (seen / seen[:, 2:] @ camera_matrix.T)[:, :2] + 0.5
        return (pixels - (self._frame(view)[1], 0)) / _OVERSAMPLING

    def _camera(self, vertices: np.ndarray, view: str) -> tuple[tuple[int, int], np.ndarray, np.ndarray]:
        size = round(self.height * _FRAME) * _OVERSAMPLING, self.height * _OVERSAMPLING
        return size, *look_at_camera(vertices, *size, VIEWS[view])

    def _frame(self, view: str) -> tuple[int, int]:
        """Width of a picture, and how many columns of the large one lie left of it."""
        width = round(WIDTHS[view] * self.height * _FRAME)
        return width, round(self.height * _FRAME) * _OVERSAMPLING // 2 - width * _OVERSAMPLING // 2

    def _annotated(self, rgb: np.ndarray, fields: np.ndarray, skin: np.ndarray) -> np.ndarray:
        """The large picture with lines and stripes; fields (H, W, 3) of outline, dashed and hatched, 0 to 255."""
        unit = self.height * _OVERSAMPLING / 880  # a pixel of the large picture of a head of 440
        rows, columns = np.indices(skin.shape)
        striped = ((rows + columns) % (14 * unit) < 5 * unit) & skin & (fields[..., 2] > 127)
        rgb = np.where(striped[..., None], HATCH_SHARE * np.array(HATCH) + (1 - HATCH_SHARE) * rgb, rgb)
        picture = Image.fromarray(np.round(rgb).astype(np.uint8))
        pen = ImageDraw.Draw(picture)
        inside = ndimage.binary_erosion(skin, iterations=2)  # the outermost pixels are half background
        for line in _contours(fields[..., 1], inside, 40 * unit):
            for dash in _dashes(line, 13 * unit, 10 * unit):
                pen.line([*map(tuple, dash)], LINE, max(1, round(3 * unit)), "curve")
        solid = _contours(fields[..., 0], inside, 40 * unit)
        for colour, width in ((PAPER, 8), (LINE, 4)):  # a pale casing: dark lines show on dark colours too
            for line in solid:
                pen.line([*map(tuple, line)], colour, max(1, round(width * unit)), "curve")
        return np.asarray(picture)


def _contours(field: np.ndarray, inside: np.ndarray, shortest: float) -> list[np.ndarray]:
    """Lines (K, 2), x and y in pixels, where a field (H, W) of 0 to 255 passes the middle inside the mask."""
    smooth = ndimage.gaussian_filter(field.astype(float), 1.5)
    generator = contour_generator(z=np.ma.masked_where(~inside, smooth), line_type=LineType.Separate)
    lines = (np.asarray(line) for line in generator.lines(127.5))
    return [line for line in lines if np.linalg.norm(np.diff(line, axis=0), axis=1).sum() >= shortest]


def _dashes(line: np.ndarray, on: float, off: float) -> list[np.ndarray]:
    """A line (K, 2) cut into dashes of `on` pixels, `off` apart."""
    along = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    out = []
    for start in np.arange(0, along[-1], on + off):
        stops = np.concatenate([[start], along[(along > start) & (along < start + on)], [min(start + on, along[-1])]])
        out.append(np.stack([np.interp(stops, along, line[:, axis]) for axis in (0, 1)], 1))
    return out


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


def webp(picture: np.ndarray | bytes) -> bytes:
    """A picture (H, W, 3) uint8, or a PNG's content, as WebP: a fifth of the size, for pages that hold many."""
    packed = io.BytesIO()
    opened = Image.open(io.BytesIO(picture)) if isinstance(picture, bytes) else Image.fromarray(picture)
    opened.convert("RGB").save(packed, "WEBP", quality=90)
    return packed.getvalue()
