"""Mesh files: GLB (binary glTF 2.0), OBJ and PLY, metres, with vertex colours; same content, same bytes."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import trimesh

from reconstruction.errors import InputError
from reconstruction.rendering import srgb_to_linear, vertex_normals
from reconstruction.storage import write_atomically

SUFFIXES = (".glb", ".obj", ".ply")
GENERATOR = "digital-face-atlas"


def write_mesh(
    path: str | Path,
    vertices: np.ndarray,
    faces: np.ndarray,
    colours: np.ndarray,
    *,
    extras: dict[str, Any] | None = None,
) -> Path:
    """Write one coloured triangle mesh; the suffix decides the format. Returns the path.

    vertices : (V, 3) metres; x to the subject's left, y up, z out of the face, which is glTF's own frame
    faces : (F, 3); colours : (V, 3) uint8 sRGB
    extras : what the reader should know, plain JSON values; in GLB as ``asset.extras`` (``licence`` also as
        ``asset.copyright``), in OBJ and PLY as comments

    Raises
    ------
    InputError
        The suffix is none of `SUFFIXES`.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise InputError(f"expected a mesh file ending in {', '.join(SUFFIXES)}, got {path.name}; change the ending.")
    extras = extras or {}
    vertices = np.asarray(vertices, np.float32)
    faces = np.asarray(faces)
    colours = np.asarray(colours, np.uint8)
    write = {".glb": _glb, ".obj": _obj, ".ply": _ply}[suffix]
    write_atomically(path, write(vertices, faces, colours, extras))
    return path


def _glb(vertices: np.ndarray, faces: np.ndarray, colours: np.ndarray, extras: dict[str, Any]) -> bytes:
    # glTF counts vertex colours as linear light. trimesh stores them as bytes: dark tones keep steps of about 1 % of
    # full sRGB brightness, which nobody sees on a shaded face
    linear = np.round(255 * srgb_to_linear(colours)).astype(np.uint8)
    mesh = trimesh.Trimesh(
        vertices,
        faces,
        vertex_normals=vertex_normals(vertices.astype(float), faces).astype(np.float32),
        process=False,
    )
    opaque = np.full((len(linear), 1), 255, np.uint8)
    mesh.visual = trimesh.visual.ColorVisuals(mesh, vertex_colors=np.hstack([linear, opaque]))
    material = {"name": "skin", "pbrMetallicRoughness": {"metallicFactor": 0.0, "roughnessFactor": 0.9}}

    def finish(tree: dict[str, Any]) -> None:
        asset = {"version": "2.0", "generator": GENERATOR, "extras": dict(sorted(extras.items()))}
        if "licence" in extras:
            asset["copyright"] = str(extras["licence"])
        tree["asset"] = asset
        tree["materials"] = [material]
        for entry in tree["meshes"]:
            for primitive in entry["primitives"]:
                primitive["material"] = 0

    scene = trimesh.Scene({"face": mesh})
    return trimesh.exchange.gltf.export_glb(scene, include_normals=True, tree_postprocessor=finish)


def _comments(extras: dict[str, Any]) -> list[str]:
    values = {key: v if isinstance(v, str) else json.dumps(v, ensure_ascii=False) for key, v in sorted(extras.items())}
    return [f"{key}: {' '.join(value.split())}" for key, value in values.items()]


def _obj(vertices: np.ndarray, faces: np.ndarray, colours: np.ndarray, extras: dict[str, Any]) -> bytes:
    """Wavefront OBJ with the widely read ``v x y z r g b`` colours, sRGB in 0..1."""
    text = io.StringIO()
    for line in (GENERATOR, *_comments(extras), "metres; vertex colours sRGB"):
        text.write(f"# {line}\n")
    for (x, y, z), (r, g, b) in zip(vertices.tolist(), (colours / 255).tolist(), strict=True):
        text.write(f"v {x:.6f} {y:.6f} {z:.6f} {r:.4f} {g:.4f} {b:.4f}\n")
    for a, b, c in (faces + 1).tolist():
        text.write(f"f {a} {b} {c}\n")
    return text.getvalue().encode()


def _ply(vertices: np.ndarray, faces: np.ndarray, colours: np.ndarray, extras: dict[str, Any]) -> bytes:
    """Binary little-endian PLY, colours as bytes, sRGB."""
    header = ["ply", "format binary_little_endian 1.0", f"comment {GENERATOR}; metres; vertex colours sRGB"]
    header += [f"comment {line}" for line in _comments(extras)]
    header += [f"element vertex {len(vertices)}"]
    header += [f"property float {axis}" for axis in "xyz"] + [f"property uchar {c}" for c in ("red", "green", "blue")]
    header += [f"element face {len(faces)}", "property list uchar int vertex_indices", "end_header"]
    points = np.empty(len(vertices), [("xyz", "<f4", 3), ("rgb", "u1", 3)])
    points["xyz"], points["rgb"] = vertices, colours
    triangles = np.empty(len(faces), [("n", "u1"), ("ids", "<i4", 3)])
    triangles["n"], triangles["ids"] = 3, faces
    return ("\n".join(header) + "\n").encode() + points.tobytes() + triangles.tobytes()
