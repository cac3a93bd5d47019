"""Stanford PLY, binary little-endian, colours as sRGB bytes."""

import numpy as np

from atlas.export.gltf import GENERATOR
from atlas.export.mesh import Mesh
from atlas.export.obj import comments


def ply(mesh: Mesh) -> bytes:
    """Vertices in metres with their colours, triangles, and the extras as comments."""
    header = ["ply", "format binary_little_endian 1.0", f"comment {GENERATOR}; metres; vertex colours sRGB"]
    header += [f"comment {line}" for line in comments(mesh.extras)]
    header += [f"element vertex {len(mesh.vertices)}"]
    header += [f"property float {axis}" for axis in "xyz"] + [f"property uchar {c}" for c in ("red", "green", "blue")]
    header += [f"element face {len(mesh.faces)}", "property list uchar int vertex_indices", "end_header"]
    points = np.empty(len(mesh.vertices), [("xyz", "<f4", 3), ("rgb", "u1", 3)])
    points["xyz"], points["rgb"] = mesh.vertices, mesh.colours
    triangles = np.empty(len(mesh.faces), [("n", "u1"), ("ids", "<i4", 3)])
    triangles["n"], triangles["ids"] = 3, mesh.faces
    return ("\n".join(header) + "\n").encode() + points.tobytes() + triangles.tobytes()
