"""STL for printing: a closed surface in millimetres, life size.

The head is open at the neck: every hole is closed by a fan of triangles about the middle of its rim. The rim of the
lowest, the neck's, is drawn down to one level, some millimetres, so that the head stands on a flat base. Teeth are left
out: they are sheets that touch nothing and would print as loose parts.
"""

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from atlas.export.mesh import Mesh


def stl(mesh: Mesh) -> bytes:
    """Binary STL, millimetres, z up as printers have it (the face looks along -y), standing on z = 0."""
    vertices, faces = printable(mesh)
    corners = vertices[faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-20)
    triangles = np.zeros(len(faces), [("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
    triangles["normal"], triangles["corners"] = normals, corners
    statement = str(mesh.extras.get("statement", ""))
    title = f"{statement}; simulated" if mesh.extras.get("simulated") else statement
    header = f"digital-face-atlas; millimetres; {title}".encode("ascii", "replace")[:80].ljust(80)
    return header + np.uint32(len(faces)).tobytes() + triangles.tobytes()


def printable(mesh: Mesh) -> tuple[np.ndarray, np.ndarray]:
    """Vertices (V', 3), millimetres, z up, and faces (F', 3) of a surface in which every edge has two triangles."""
    drop = mesh.part_names.index("teeth") if "teeth" in mesh.part_names else -1
    n = len(mesh.vertices)
    vertices, faces = close_holes(mesh.vertices.astype(float), mesh.faces[mesh.face_parts != drop])
    if len(vertices) > n:
        lowest = n + vertices[n:, 1].argmin()
        base = np.unique(faces[(faces == lowest).any(1)])
        vertices[base, 1] = vertices[base, 1].min()
    used, faces = np.unique(faces, return_inverse=True)
    vertices = 1000 * vertices[used] @ np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]])
    return vertices - [0, 0, vertices[:, 2].min()], faces.reshape(-1, 3)


def close_holes(vertices: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(V + H, 3) vertices and (F', 3) faces: the surface with each of its H holes closed about its rim's middle."""
    edges = faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
    n = len(vertices)
    backwards = edges[:, 1] * n + edges[:, 0]
    rim = edges[~np.isin(edges[:, 0] * n + edges[:, 1], backwards)]  # no triangle on the other side
    _, hole = connected_components(coo_array((np.ones(len(rim)), rim.T), shape=(n, n)), directed=False)
    rims, hole_of = np.unique(hole[rim[:, 0]], return_inverse=True)
    sums = [np.bincount(hole_of, vertices[rim[:, 0], d], len(rims)) for d in range(3)]
    middles = np.stack(sums, 1) / np.bincount(hole_of, minlength=len(rims))[:, None]
    fans = np.column_stack([rim[:, 1], rim[:, 0], n + hole_of])
    return np.concatenate([vertices, middles]), np.concatenate([faces, fans])
