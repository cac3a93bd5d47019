"""GNM Head (Google, 2026), version 3, from its npz.

It has no jaw joint: its expressions open the mouth. Its pose correctives are all zero and left out.
"""

import hashlib
from pathlib import Path

import numpy as np

from reconstruction.errors import InputError
from reconstruction.importers.head import Head
from reconstruction.importers.npz import read_npz
from reconstruction.importers.parts import PARTS

NEEDED = (
    "version", "template_vertex_positions", "template_joint_positions", "vertex_identity_basis", "joint_identity_basis",
    "expression_basis", "skinning_weights", "joint_parent_indices", "triangles", "triangle_uvs", "expression_names",
    "vertex_group_names", "vertex_groups",
)  # fmt: skip
GROUPS = (  # our part and GNM's vertex groups; what comes later wins
    ("mouth", ("mouth_sock", "tongue")), ("teeth", ("upper_teeth_and_gums", "lower_teeth_and_gums", "teeth")),
    ("mouth", ("gums",)), ("sclera", ("eyes", "scleras")), ("iris", ("irises",)), ("pupil", ("pupils",)),
)  # fmt: skip
CLEAR = "eye_exteriors"  # the cornea, which one looks through
EYES = (2, 3)
LICENCE = "Apache-2.0 (GNM Head, Google LLC)"
NEAR = 3000  # vertices that a joint is told from


def read_gnm(path: Path) -> Head:
    """The head in a GNM npz; joints neck and head are called global and neck here, as FLAME does.

    Raises
    ------
    InputError
        Arrays are missing, damaged or do not belong together.
    """
    data = read_npz(path, NEEDED)
    version = str(data["version"])
    vertices, joints = data["template_vertex_positions"], data["template_joint_positions"]
    n, j, identities = len(vertices), len(joints), len(data["vertex_identity_basis"])
    groups = data["vertex_groups"].astype(np.float32)
    names = [str(name) for name in data["vertex_group_names"]]
    shapes = {
        "template_vertex_positions": (n, 3),
        "template_joint_positions": (4, 3),
        "vertex_identity_basis": (identities, n, 3),
        "joint_identity_basis": (identities, j, 3),
        "expression_basis": (len(data["expression_names"]), n, 3),
        "skinning_weights": (j, n),
        "joint_parent_indices": (j,),
        "triangles": (len(data["triangles"]), 3),
        "triangle_uvs": (len(data["triangles"]), 3, 2),
        "vertex_groups": (len(names), n),
    }
    for key, shape in shapes.items():
        if data[key].shape != shape:
            raise InputError(
                f"expected {key!r} of shape {shape} in the GNM Head {path}, but it has {data[key].shape}; get "
                "version 3."
            )
    parts = np.full(n, PARTS.index("skin"), np.uint8)
    for part, members in GROUPS:
        for member in members:
            if member in names:
                parts[groups[names.index(member)] > 0.5] = PARTS.index(part)
    triangles = data["triangles"].astype(np.int64)
    if triangles.min() < 0 or triangles.max() >= n:
        raise InputError(f"expected triangles of vertices below {n} in {path}, but some name others; get it anew.")
    shown = np.ones(len(triangles), bool)
    if CLEAR in names:
        shown = ~(groups[names.index(CLEAR)] > 0.5)[triangles].all(1)
    eyes = ("left_eye", "right_eye") if joints[EYES[0], 0] > 0 else ("right_eye", "left_eye")
    parents = np.minimum(data["joint_parent_indices"].astype(np.int64), np.arange(j) - 1)
    parents[0] = -1
    uv, uv_faces = np.unique(data["triangle_uvs"][shown].reshape(-1, 2), axis=0, return_inverse=True)
    return Head(
        name="gnm-head", v_template=vertices.astype(np.float64),
        shapedirs=np.moveaxis(data["vertex_identity_basis"], 0, 2).astype(np.float32),
        expressiondirs=np.moveaxis(data["expression_basis"], 0, 2).astype(np.float32),
        posedirs=np.zeros((n, 3, 9 * (j - 1)), np.float32),
        joint_regressor=_regressor(vertices, data["vertex_identity_basis"], joints, data["joint_identity_basis"]),
        parents=parents, skinning_weights=data["skinning_weights"].T.astype(np.float32), faces=triangles[shown],
        parts=parts, expression_names=tuple(str(name) for name in data["expression_names"]),
        joint_names=("global", "neck", *eyes), licence=LICENCE, source=f"google/GNM, GNM Head {version}",
        source_sha256=hashlib.sha256(path.read_bytes()).hexdigest(), bounded=False,
        uv=uv.astype(np.float32), uv_faces=uv_faces.reshape(-1, 3),
    )  # fmt: skip


def _regressor(vertices: np.ndarray, basis: np.ndarray, joints: np.ndarray, joint_basis: np.ndarray) -> np.ndarray:
    """(J, V) float32: weights of vertices that give the joints of the mean and of every identity component.

    GNM keeps joints beside the vertices; both are linear in the identity, so that the smallest weights which meet all
    components meet every person.
    """
    out = np.zeros((len(joints), len(vertices)), np.float32)
    for row, joint, moves in zip(out, joints, np.moveaxis(joint_basis, 1, 0), strict=True):
        near = np.argsort(np.linalg.norm(vertices - joint, axis=1), kind="stable")[:NEAR]
        # centred on the joint, and the weights' sum in a row of its own: lstsq gives the smallest solution
        mean = (vertices[near] - joint).T.astype(np.float64)
        change = np.moveaxis(basis[:, near], 1, 2).reshape(-1, len(near)).astype(np.float64)
        system = np.concatenate([mean, change, np.full((1, len(near)), 0.01)])
        wanted = np.concatenate([np.zeros(3), moves.ravel(), [0.01]])
        row[near] = np.linalg.lstsq(system, wanted, rcond=None)[0]
    return out
