"""Binary glTF 2.0 (GLB), as far as a face needs it: one mesh in several colourings, morph targets, their animation.

A file here shows one colouring at a time. glTF keeps vertex colours in the mesh, not in the material, so every
colouring is a primitive of its own over the same vertices, all but one of them with a material that draws nothing
(alpha mode MASK, opacity 0). `KHR_materials_variants` exchanges the materials: a viewer that knows it (model-viewer,
Babylon.js, Blender) offers the colourings by name, any other shows the first. Colourings of numbers are unlit
(`KHR_materials_unlit`), so that no shadow changes a colour that is to be read from a scale.

Morph targets are plain float32 and hold positions alone: viewers read those everywhere, sparse and quantised ones not
everywhere, and a target of 5,000 vertices takes 58 kB. Colours are linear light in 16 bits, as glTF has them.

A colouring may have lines on it. They are narrow ribbons that move with the surface, because viewers draw glTF's own
lines as thin as a pixel and not all of them hide those.
"""

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from reconstruction.rendering import srgb_to_linear, vertex_normals

GENERATOR = "digital-face-atlas"
UNLIT, VARIANTS = "KHR_materials_unlit", "KHR_materials_variants"
VERTICES, INDICES = 34962, 34963  # buffer view targets
STILL = 1e-7  # metres: a morph target's smaller deltas are noise
LIFTED = 0.0003  # metres, how far a line lies off the surface
BORDERS = (0.4, 0.6)  # of a line, as shares of the edges that it crosses
_TYPES = {np.dtype(np.uint16): 5123, np.dtype(np.uint32): 5125, np.dtype(np.float32): 5126}
_SHAPES = {(): "SCALAR", (3,): "VEC3", (4,): "VEC4"}


@dataclass(frozen=True)
class Layer:
    """One colouring of a mesh.

    colours : (V, 3) uint8 sRGB
    lit : shaded as skin is; colours that are read from a scale are not
    line : ends (N, 2) and segments (S, 2), see `outline`; None for no line
    note : what else there is to say, plain JSON
    """

    name: str
    colours: np.ndarray
    lit: bool = False
    line: tuple[np.ndarray, np.ndarray] | None = None
    note: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Morph:
    """A morph target: deltas (V, 3) metres at weight 1."""

    name: str
    deltas: np.ndarray


@dataclass(frozen=True)
class Clip:
    """An animation of the morph weights, linear in between: time_s (T,), weights (T, K) of the K morph targets."""

    name: str
    time_s: np.ndarray
    weights: np.ndarray
    note: Mapping[str, Any] = field(default_factory=dict)


def glb(
    name: str,
    vertices: np.ndarray,
    faces: np.ndarray,
    layers: Sequence[Layer],
    morphs: Sequence[Morph] = (),
    clips: Sequence[Clip] = (),
    extras: Mapping[str, Any] | None = None,
) -> bytes:
    """A GLB file; the same content gives the same bytes.

    vertices : (V, 3) metres; x to the subject's left, y up, z out of the face, which is glTF's own frame
    faces : (F, 3); layers : at least one, the first is shown
    extras : plain JSON values, kept in ``asset.extras``; ``licence`` also in ``asset.copyright``
    """
    extras = dict(sorted((extras or {}).items()))
    pack = _Pack()
    normals = vertex_normals(vertices.astype(float), faces).astype(np.float32)
    attributes = {
        "POSITION": pack.add(vertices.astype(np.float32), VERTICES, bounds=True),
        "NORMAL": pack.add(normals, VERTICES),
    }
    indices, targets = pack.indices(faces), pack.targets([morph.deltas for morph in morphs])
    primitives = []
    for number, layer in enumerate(layers):
        opaque = np.ones((len(vertices), 1))
        colours = np.round(65535 * np.hstack([srgb_to_linear(layer.colours), opaque])).astype(np.uint16)
        coloured = attributes | {"COLOR_0": pack.add(colours, VERTICES, normalized=True)}
        shown = _shown(number, len(layers))
        primitives.append({"attributes": coloured, "indices": indices, **targets, **shown})
        if layer.line is not None:
            ends, segments = layer.line
            moved = pack.targets([_ribbon(morph.deltas, ends) for morph in morphs])
            points = _ribbon(vertices + LIFTED * normals, ends).astype(np.float32)
            drawn = {"POSITION": pack.add(points, VERTICES, bounds=True)}
            shown = _shown(number, len(layers), line=True)
            primitives.append({"attributes": drawn, "indices": pack.indices(_quads(segments)), **moved, **shown})
    mesh: dict[str, Any] = {"name": name, "primitives": primitives}
    if morphs:
        mesh |= {"weights": [0.0] * len(morphs), "extras": {"targetNames": [morph.name for morph in morphs]}}
    tree: dict[str, Any] = {
        "asset": {"version": "2.0", "generator": GENERATOR, "extras": extras},
        "scene": 0,
        "scenes": [{"name": name, "nodes": [0]}],
        "nodes": [{"name": name, "mesh": 0}],
        "meshes": [mesh],
        "materials": [*(_material(layer) for layer in layers), _LINE, _NOTHING],
    }
    if "licence" in extras:
        tree["asset"]["copyright"] = str(extras["licence"])
    if clips:
        tree["animations"] = [_animation(clip, pack) for clip in clips]
    if len(layers) > 1:
        tree["extensions"] = {VARIANTS: {"variants": [{"name": layer.name} for layer in layers]}}
        tree["extensionsUsed"] = [UNLIT, VARIANTS]
    else:
        tree["extensionsUsed"] = [UNLIT]
    return _container(tree | pack.tree(), bytes(pack.content))


def outline(faces: np.ndarray, inside: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """The line on a surface between vertices inside (V,) bool and the others; it crosses the edges that join them.

    Returns ends (N, 2), the vertex inside and the one outside of every edge crossed, and segments (S, 2) from edge to
    edge, with the inside on their left; None where nothing is crossed.
    """
    corners = inside[faces]
    crossed = corners.any(1) & ~corners.all(1)
    if not crossed.any():
        return None
    corners, triangles = corners[crossed], faces[crossed]
    row, single = np.arange(len(triangles)), corners.sum(1) == 1
    alone = (corners == single[:, None]).argmax(1)  # the corner that differs from both others
    first, after, before = (triangles[row, (alone + k) % 3] for k in range(3))
    starts = np.where(single[:, None], np.stack([first, after], 1), np.stack([before, first], 1))
    stops = np.where(single[:, None], np.stack([first, before], 1), np.stack([after, first], 1))
    ends, segments = np.unique(np.concatenate([starts, stops]), axis=0, return_inverse=True)
    return ends, segments.reshape(2, -1).T


def _ribbon(field: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """(2 N, 3) values of a field (V, 3) along the ribbon: N inner borders, N outer ones."""
    return np.concatenate([(1 - share) * field[ends[:, 0]] + share * field[ends[:, 1]] for share in BORDERS])


def _quads(segments: np.ndarray) -> np.ndarray:
    """(2 S, 3) triangles of a ribbon, counter-clockwise."""
    (a, b), n = segments.T, segments.max() + 1
    return np.concatenate([np.stack([a, a + n, b], 1), np.stack([b, a + n, b + n], 1)])


_LINE = {
    "name": "line",
    "pbrMetallicRoughness": {"baseColorFactor": [0.0, 0.0, 0.0, 1.0], "metallicFactor": 0.0, "roughnessFactor": 1.0},
    "extensions": {UNLIT: {}},
}
_NOTHING = {
    "name": "not shown",
    "alphaMode": "MASK",
    "pbrMetallicRoughness": {"baseColorFactor": [1.0, 1.0, 1.0, 0.0], "metallicFactor": 0.0, "roughnessFactor": 1.0},
    "extensions": {UNLIT: {}},
}


def _shown(number: int, layers: int, *, line: bool = False) -> dict[str, Any]:
    """The material of a primitive of layer `number`, which its variant shows and the others hide."""
    own, nothing = layers if line else number, layers + 1
    shown: dict[str, Any] = {"material": own if number == 0 else nothing}
    if layers > 1:
        others = [i for i in range(layers) if i != number]
        mappings = [{"material": own, "variants": [number]}, {"material": nothing, "variants": others}]
        shown["extensions"] = {VARIANTS: {"mappings": mappings}}
    return shown


def _material(layer: Layer) -> dict[str, Any]:
    material: dict[str, Any] = {
        "name": layer.name,
        "pbrMetallicRoughness": {"metallicFactor": 0.0, "roughnessFactor": 0.7 if layer.lit else 1.0},
    }
    if not layer.lit:
        material["extensions"] = {UNLIT: {}}
    if layer.note:
        material["extras"] = dict(sorted(layer.note.items()))
    return material


def _animation(clip: Clip, pack: "_Pack") -> dict[str, Any]:
    animation: dict[str, Any] = {
        "name": clip.name,
        "samplers": [
            {
                "input": pack.add(clip.time_s.astype(np.float32), bounds=True),
                "interpolation": "LINEAR",
                "output": pack.add(clip.weights.astype(np.float32).ravel()),
            }
        ],
        "channels": [{"sampler": 0, "target": {"node": 0, "path": "weights"}}],
    }
    if clip.note:
        animation["extras"] = dict(sorted(clip.note.items()))
    return animation


class _Pack:
    """Arrays one after another in the binary chunk, each with a buffer view and an accessor of its own."""

    def __init__(self) -> None:
        self.content = bytearray()
        self.views: list[dict[str, Any]] = []
        self.accessors: list[dict[str, Any]] = []

    def add(
        self, array: np.ndarray, target: int | None = None, *, bounds: bool = False, normalized: bool = False
    ) -> int:
        """The number of the accessor of `array`, (N,), (N, 3) or (N, 4); `bounds` with the least and the largest."""
        accessor: dict[str, Any] = {
            "componentType": _TYPES[array.dtype],
            "count": len(array),
            "type": _SHAPES[array.shape[1:]],
        }
        if bounds:
            accessor |= {"min": np.atleast_1d(array.min(0)).tolist(), "max": np.atleast_1d(array.max(0)).tolist()}
        if normalized:
            accessor["normalized"] = True
        if array.any():  # an accessor without a view holds zeros
            view: dict[str, Any] = {"buffer": 0, "byteOffset": len(self.content), "byteLength": array.nbytes}
            if target is not None:
                view["target"] = target
            accessor["bufferView"] = len(self.views)
            self.views.append(view)
            self.content += array.tobytes() + bytes(-array.nbytes % 4)
        self.accessors.append(accessor)
        return len(self.accessors) - 1

    def indices(self, corners: np.ndarray) -> int:
        """Of triangles (F, 3) or segments (S, 2)."""
        return self.add(corners.astype(np.uint16 if corners.max() < 2**16 - 1 else np.uint32).ravel(), INDICES)

    def targets(self, deltas: Sequence[np.ndarray]) -> dict[str, Any]:
        """The entry ``targets`` of a primitive; none where there are no morph targets."""
        rounded = [np.where(np.abs(each) < STILL, 0, each).astype(np.float32) for each in deltas]
        found = [{"POSITION": self.add(each, VERTICES, bounds=True)} for each in rounded]
        return {"targets": found} if found else {}

    def tree(self) -> dict[str, Any]:
        return {
            "accessors": self.accessors,
            "bufferViews": self.views,
            "buffers": [{"byteLength": len(self.content)}],
        }


def _container(tree: dict[str, Any], content: bytes) -> bytes:
    """glTF 2.0, section 4: header, JSON chunk filled with spaces, binary chunk."""
    document = json.dumps(tree, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    document += b" " * (-len(document) % 4)
    chunks = (
        struct.pack("<I4s", len(document), b"JSON") + document + struct.pack("<I4s", len(content), b"BIN\0") + content
    )
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks
