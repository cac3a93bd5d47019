"""Binary glTF 2.0 (GLB), as far as a face needs it: one mesh in several colourings, morph targets, their animation.

A file here shows one colouring at a time. glTF keeps vertex colours in the mesh, not in the material, so every
colouring is a primitive of its own over the same vertices, all but one of them with a material that draws nothing
(alpha mode MASK, opacity 0). `KHR_materials_variants` exchanges the materials: a viewer that knows it (model-viewer,
Babylon.js, Blender) offers the colourings by name, any other shows the first. Colourings of numbers are unlit
(`KHR_materials_unlit`), so that no shadow changes a colour that is to be read from a scale.

Morph targets are plain float32 and hold positions alone: viewers read those everywhere, sparse and quantised ones not
everywhere, and a target of 5,000 vertices takes 58 kB. Colours are linear light in 16 bits, as glTF has them.
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
VERTICES, TRIANGLES = 34962, 34963  # buffer view targets
_TYPES = {np.dtype(np.uint16): 5123, np.dtype(np.uint32): 5125, np.dtype(np.float32): 5126}
_SHAPES = {(): "SCALAR", (3,): "VEC3", (4,): "VEC4"}


@dataclass(frozen=True)
class Layer:
    """One colouring: colours (V, 3) uint8 sRGB; lit as skin is, or read from a scale; note, plain JSON, says which."""

    name: str
    colours: np.ndarray
    lit: bool = False
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
    attributes = {
        "POSITION": pack.add(vertices.astype(np.float32), VERTICES, bounds=True),
        "NORMAL": pack.add(vertex_normals(vertices.astype(float), faces).astype(np.float32), VERTICES),
    }
    small = np.uint16 if len(vertices) < 2**16 else np.uint32
    indices = pack.add(faces.astype(small).ravel(), TRIANGLES)
    targets = [{"POSITION": pack.add(morph.deltas.astype(np.float32), VERTICES, bounds=True)} for morph in morphs]
    primitives = []
    for number, layer in enumerate(layers):
        opaque = np.ones((len(vertices), 1))
        colours = np.round(65535 * np.hstack([srgb_to_linear(layer.colours), opaque])).astype(np.uint16)
        primitive: dict[str, Any] = {
            "attributes": attributes | {"COLOR_0": pack.add(colours, VERTICES, normalized=True)},
            "indices": indices,
            "material": number if number == 0 else len(layers),
        }
        if targets:
            primitive["targets"] = targets
        if len(layers) > 1:
            others = [i for i in range(len(layers)) if i != number]
            shown = [{"material": number, "variants": [number]}, {"material": len(layers), "variants": others}]
            primitive["extensions"] = {VARIANTS: {"mappings": shown}}
        primitives.append(primitive)
    mesh: dict[str, Any] = {"name": name, "primitives": primitives}
    if morphs:
        mesh |= {"weights": [0.0] * len(morphs), "extras": {"targetNames": [morph.name for morph in morphs]}}
    tree: dict[str, Any] = {
        "asset": {"version": "2.0", "generator": GENERATOR, "extras": extras},
        "scene": 0,
        "scenes": [{"name": name, "nodes": [0]}],
        "nodes": [{"name": name, "mesh": 0}],
        "meshes": [mesh],
        "materials": [_material(layer) for layer in layers],
    }
    if "licence" in extras:
        tree["asset"]["copyright"] = str(extras["licence"])
    if clips:
        tree["animations"] = [_animation(clip, pack) for clip in clips]
    used = [UNLIT] * (len(layers) > 1 or not layers[0].lit)
    if len(layers) > 1:
        tree["materials"].append(_NOTHING)
        tree["extensions"] = {VARIANTS: {"variants": [{"name": layer.name} for layer in layers]}}
        used.append(VARIANTS)
    if used:
        tree["extensionsUsed"] = used
    return _container(tree | pack.tree(), bytes(pack.content))


_NOTHING = {
    "name": "not shown",
    "alphaMode": "MASK",
    "pbrMetallicRoughness": {"baseColorFactor": [1.0, 1.0, 1.0, 0.0], "metallicFactor": 0.0, "roughnessFactor": 1.0},
    "extensions": {UNLIT: {}},
}


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

    def add(self, array: np.ndarray, target: int | None = None, *, bounds: bool = False, normalized: bool = False) -> int:
        """The number of the accessor of `array`, (N,), (N, 3) or (N, 4); `bounds` with the least and the largest."""
        view: dict[str, Any] = {"buffer": 0, "byteOffset": len(self.content), "byteLength": array.nbytes}
        if target is not None:
            view["target"] = target
        accessor: dict[str, Any] = {
            "bufferView": len(self.views),
            "componentType": _TYPES[array.dtype],
            "count": len(array),
            "type": _SHAPES[array.shape[1:]],
        }
        if bounds:
            accessor |= {"min": np.atleast_1d(array.min(0)).tolist(), "max": np.atleast_1d(array.max(0)).tolist()}
        if normalized:
            accessor["normalized"] = True
        self.content += array.tobytes() + bytes(-array.nbytes % 4)
        self.views.append(view)
        self.accessors.append(accessor)
        return len(self.accessors) - 1

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
    chunks = struct.pack("<I4s", len(document), b"JSON") + document + struct.pack("<I4s", len(content), b"BIN\0") + content
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks
