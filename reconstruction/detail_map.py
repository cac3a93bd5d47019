"""A person's wrinkles as a map over the template's UV; its files, and the mesh that carries them."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from scipy.ndimage import map_coordinates

from reconstruction.errors import InputError
from reconstruction.rendering import vertex_normals
from reconstruction.sequence import STATEMENT, stem_of
from reconstruction.storage import read_arrays, take, write_arrays, write_atomically
from reconstruction.subdivision import subdivide
from reconstruction.template import Template
from reconstruction.uv_grid import SIZE, face_triangles

KIND, VERSION = "detail-map", 1
SUFFIX = ".detail.safetensors"
LIMIT = 0.001  # metres, the most that skin is moved
EDGE = 0.0012  # metres, the longest edge on the face of a mesh with detail
FACE_PIXELS = (150.0, 165.0)  # between the outer eye corners: with less wrinkles are not seen, from here they are
_FIELDS = ("template", "template_sha256", "face_pixels", "frames", "simulated", "provenance")
_ZERO = 2**15  # grey of no displacement in the picture


@dataclass(frozen=True)
class DetailMap:
    """Displacement of a person's skin at wrinkle scale.

    template, template_sha256 : the template whose UV and vertices it is for
    displacement : (SIZE, SIZE) float32, metres along the normal of the coarse surface, outwards positive, within LIMIT;
        0 where nothing is known; the first row is the highest v
    confidence : (SIZE, SIZE) float32, 0 to 1, see `shading.solve_form`
    window : (4,) float32, lowest u and v, highest u and v: the part of the UV that the map covers
    face_pixels : between the outer eye corners in the recording, median
    frames : how many it rests on
    """

    template: str
    template_sha256: str
    displacement: np.ndarray
    confidence: np.ndarray
    window: np.ndarray
    face_pixels: float
    frames: int
    simulated: bool = False
    provenance: dict[str, Any] = field(default_factory=dict)

    @property
    def resolved(self) -> bool:
        """Whether the face was large enough to show wrinkles; where not, the map is empty."""
        return self.face_pixels >= FACE_PIXELS[0]

    @property
    def finding(self) -> str:
        """One clause for the reader."""
        size = f"{self.face_pixels:.0f} pixels between the outer eye corners"
        if not self.resolved:
            return f"the face is too small to show wrinkles ({size}, {FACE_PIXELS[0]:.0f} are needed): film closer"
        known = self.confidence > 0
        rms = 1000 * float(np.sqrt((self.displacement[known] ** 2).mean())) if known.any() else 0.0
        return f"wrinkles of {rms:.2f} mm (root mean square), {size}"

    def at(self, uv: np.ndarray) -> np.ndarray:
        """(N,) float64 metres at places (N, 2) of the template's UV; 0 outside the window."""
        low, high = self.window[:2].astype(float), self.window[2:].astype(float)
        column, row = (np.asarray(uv, float) - (low[0], high[1])).T / [[high[0] - low[0]], [low[1] - high[1]]]
        return map_coordinates(self.displacement.astype(float), [SIZE * row - 0.5, SIZE * column - 0.5], order=1)


def detailed_mesh(
    detail: DetailMap, template: Template, vertices: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A face of `template`, `vertices` (V, 3) metres, with its wrinkles.

    Returns vertices (V', 3) float32 metres, of which the first V are the given ones, displaced; faces (F', 3); colours
    (V', 3) uint8. The topology is the same for all people of a template; edges on the mean face are at most EDGE.

    Raises
    ------
    InputError
        The map belongs to another template.
    """
    if detail.template_sha256 != template.sha256:
        raise InputError(
            f"expected detail of template {template.name} ({template.sha256[:8]}), but it belongs to {detail.template} "
            f"({detail.template_sha256[:8]}); load that template or reconstruct the recording again with --detail."
        )
    finer = subdivide(
        template.v_template, template.faces, template.uv, template.uv_faces, face_triangles(template), EDGE
    )
    smooth = finer.smooth(vertices)
    displaced = smooth + detail.at(finer.uv)[:, None] * vertex_normals(smooth, finer.faces)
    colours = np.round(finer.carry(template.colours)).astype(np.uint8)
    return displaced.astype(np.float32), finer.faces, colours


def detail_path(parameters: str | Path) -> Path:
    """Where the map of a ``.face.safetensors`` file lies: beside it."""
    path = Path(parameters)
    return path.with_name(stem_of(path) + SUFFIX)


def load_detail_beside(parameters: str | Path) -> DetailMap:
    """The map that lies beside a ``.face.safetensors`` file.

    Raises
    ------
    InputError
        There is none, or it cannot be used.
    """
    path = detail_path(parameters)
    if not path.is_file():
        raise InputError(
            f"expected wrinkles in {path}, but there is no such file; write it with face-atlas reconstruct --detail, "
            "or leave --detail out."
        )
    return load_detail(path)


def save_detail(detail: DetailMap, path: str | Path) -> Path:
    """Write ``NAME.detail.safetensors``, ``NAME.detail.json`` and ``NAME.detail.png``; returns the path of the first.

    The picture has 16 bits of grey a texel, 32768 where skin stays; the JSON names the metres of one step.

    Raises
    ------
    InputError
        The path does not end in ``.detail.safetensors``.
    """
    path = Path(path)
    if not path.name.endswith(SUFFIX):
        raise InputError(f"expected a file name ending in {SUFFIX}, got {path.name}; rename it.")
    arrays = {name: getattr(detail, name).astype(np.float32) for name in ("displacement", "confidence", "window")}
    fields = {name: getattr(detail, name) for name in _FIELDS}
    step = LIMIT / (_ZERO - 1)
    summary = {
        "kind": KIND,
        "version": VERSION,
        "statement": STATEMENT,
        "finding": detail.finding,
        "resolved": detail.resolved,
        "picture": {"zero": _ZERO, "metres_per_step": step, "uv_window": [round(float(x), 6) for x in detail.window]},
        **fields,
    }
    grey = np.round(_ZERO + detail.displacement / step).astype(np.uint16)
    stem = path.name.removesuffix(SUFFIX)
    write_arrays(path, KIND, VERSION, arrays, fields)
    write_atomically(path.with_name(f"{stem}.detail.png"), cv2.imencode(".png", grey)[1].tobytes())
    text = json.dumps(summary, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    write_atomically(path.with_name(f"{stem}.detail.json"), text.encode())
    return path


def load_detail(path: str | Path) -> DetailMap:
    """Read a ``.detail.safetensors`` file.

    Raises
    ------
    InputError
        The file is missing, damaged, of another kind or newer than this software.
    """
    arrays, header = read_arrays(path, KIND, VERSION)
    fields: dict[str, Any] = {}
    for name in _FIELDS:
        if name not in header:
            raise InputError(f"expected {name!r} in the header of {path}, but it is missing; write the file anew.")
        fields[name] = header[name]
    shapes: dict[str, tuple[int, ...]] = {"displacement": (SIZE, SIZE), "confidence": (SIZE, SIZE), "window": (4,)}
    fields |= {name: take(arrays, name, shape, path) for name, shape in shapes.items()}
    return DetailMap(**fields)
