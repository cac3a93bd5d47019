"""The template: a head mesh with shape, expression and pose spaces in FLAME's terms, and its file format.

Head frame as FLAME: x to the subject's left, y up, z out of the face; metres.
"""

import hashlib
from dataclasses import dataclass, field, replace
from importlib import resources
from pathlib import Path

import numpy as np

from reconstruction.errors import InputError
from reconstruction.storage import read_arrays, take, write_arrays

KIND, VERSION = "face-template", 2  # 2 : expressions may be unbounded; the rest is still written as 1
SUFFIX = ".template.safetensors"
DEFAULT = "atlas-head"
_SKIN = ("skin", "lid", "lips", "brow")


@dataclass(frozen=True)
class Embedding:
    """Points fixed to a mesh surface.

    triangles : (K, 3) int64, vertex ids of the triangle each point lies in
    barycentric : (K, 3) float32, its weights
    """

    triangles: np.ndarray
    barycentric: np.ndarray

    def of(self, use: np.ndarray) -> "Embedding":
        """The points that `use` (K,) bool selects."""
        return Embedding(self.triangles[use], self.barycentric[use])

    def __call__(self, vertices: np.ndarray) -> np.ndarray:
        """Points (..., K, 3) on `vertices` (..., V, 3)."""
        return np.einsum("...kcd,kc->...kd", vertices[..., self.triangles, :], self.barycentric)


@dataclass(frozen=True)
class Template:
    """A head model, S shape components, E expressions, J joints.

    v_template : (V, 3) float32, metres, head frame
    shapedirs : (V, 3, S) float32, metres per standard deviation
    expressiondirs : (V, 3, E) float32, metres at full intensity (coefficient 1), or per standard deviation: `bounded`
    posedirs : (V, 3, 9*(J-1)) float32, metres per entry of R(joint) - I, joints 1..J-1, row by row
    joint_regressor : (J, V) float32; rows sum to 1
    parents : (J,) int64, -1 for the root
    skinning_weights : (V, J) float32; rows sum to 1
    faces : (F, 3) int64, counter-clockwise seen from outside
    uv, uv_faces : (U, 2) float32 in 0..1 and (F, 3) int64
    colours : (V, 3) uint8, sRGB, a neutral teaching colouring
    parts : (V,) uint8, what a vertex belongs to, see `part_names`
    mirror : (V,) int64, the vertex on the other side of the midline
    landmarks68, landmarks478 : Embedding of the iBUG 68 and of the MediaPipe face mesh points
    visible478 : (478,) bool, detector points that lie on the mesh
    bounded : expressions are shapes of 0 neutral to 1 full; where not, components with standard normal coefficients
    sha256 : of the file's content, so that parameters name the template they belong to
    path : the file it was read from, empty for an embedded template; its calibration is looked for beside it
    """

    name: str
    v_template: np.ndarray
    shapedirs: np.ndarray
    expressiondirs: np.ndarray
    posedirs: np.ndarray
    joint_regressor: np.ndarray
    parents: np.ndarray
    skinning_weights: np.ndarray
    faces: np.ndarray
    uv: np.ndarray
    uv_faces: np.ndarray
    colours: np.ndarray
    parts: np.ndarray
    mirror: np.ndarray
    landmarks68: Embedding
    landmarks478: Embedding
    visible478: np.ndarray
    part_names: tuple[str, ...]
    expression_names: tuple[str, ...]
    joint_names: tuple[str, ...]
    licence: str
    source: str
    source_sha256: str
    bounded: bool = True
    sha256: str = field(default="", compare=False)
    path: str = field(default="", compare=False)

    @property
    def n_shape(self) -> int:
        return self.shapedirs.shape[2]

    @property
    def n_expression(self) -> int:
        return self.expressiondirs.shape[2]

    @property
    def n_bounded(self) -> int:
        """How many of the expressions lie in 0..1: all or none."""
        return self.n_expression if self.bounded else 0

    @property
    def n_joints(self) -> int:
        return len(self.parents)

    def joint(self, name: str) -> int:
        """Index of a joint: global, neck, jaw, left_eye or right_eye.

        Raises
        ------
        InputError
            The template has no such joint.
        """
        if name not in self.joint_names:
            raise InputError(
                f"expected a template with the joint {name!r}, but {self.name} has only {', '.join(self.joint_names)}; "
                f"use one that has it, such as {DEFAULT}."
            )
        return self.joint_names.index(name)

    def part(self, *names: str) -> np.ndarray:
        """(V,) bool: the vertices that belong to any of the named parts."""
        return np.isin(self.parts, [self.part_names.index(name) for name in names])

    @property
    def skin(self) -> np.ndarray:
        """(V,) bool: skin with lids, lips and brows, no sockets, mouth or eyes; all where no part is so named."""
        known = [name for name in _SKIN if name in self.part_names]
        return self.part(*known) if known else np.ones(len(self.parts), bool)


def load_template(name_or_path: str | Path = DEFAULT) -> Template:
    """The embedded template of that name, or the one in a ``.template.safetensors`` file.

    Raises
    ------
    InputError
        There is no such name or file, or the file is no template.
    """
    embedded = resources.files("templates").joinpath(f"{name_or_path}{SUFFIX}")
    if "/" not in str(name_or_path) and embedded.is_file():
        with resources.as_file(embedded) as path:
            return _read(path)
    if Path(name_or_path).is_file():
        return replace(_read(Path(name_or_path)), path=str(name_or_path))
    raise InputError(
        f"expected an embedded template ({', '.join(embedded_templates())}) or a {SUFFIX} file, but "
        f"{str(name_or_path)!r} is neither; check the name or the path."
    )


def embedded_templates() -> list[str]:
    """Names of the templates that come with the software."""
    names = (f.name for f in resources.files("templates").iterdir())
    return sorted(name.removesuffix(SUFFIX) for name in names if name.endswith(SUFFIX))


def save_template(template: Template, path: str | Path) -> None:
    """Write a template file: deltas as float16, indices as small as they fit, all-zero pose columns left out.

    Parameters name their template by the sha256 of its bytes: the same template is the same bytes for ever, and has no
    table of elements.
    """
    used = np.flatnonzero(np.abs(template.posedirs).max(axis=(0, 1)) > 0)
    small = np.uint16 if len(template.v_template) < 2**16 else np.uint32
    joint, vertex = np.nonzero(template.joint_regressor)
    arrays: dict[str, np.ndarray] = {
        "v_template": template.v_template.astype(np.float32),
        "shapedirs": template.shapedirs.astype(np.float16),
        "expressiondirs": template.expressiondirs.astype(np.float16),
        "posedirs": template.posedirs[:, :, used].astype(np.float16),
        "posedirs_columns": used.astype(np.uint16),
        "joint_regressor_index": np.stack([joint, vertex], 1).astype(small),
        "joint_regressor_value": template.joint_regressor[joint, vertex].astype(np.float32),
        "parents": template.parents.astype(np.int16),
        "skinning_weights": template.skinning_weights.astype(np.float32),
        "faces": template.faces.astype(small),
        "uv": template.uv.astype(np.float32),
        "uv_faces": template.uv_faces.astype(small if len(template.uv) < 2**16 else np.uint32),
        "colours": template.colours.astype(np.uint8),
        "parts": template.parts.astype(np.uint8),
        "mirror": template.mirror.astype(small),
        "visible478": template.visible478.astype(np.uint8),
    }
    for points in ("landmarks68", "landmarks478"):
        embedding = getattr(template, points)
        arrays[f"{points}_triangles"] = embedding.triangles.astype(small)
        arrays[f"{points}_barycentric"] = embedding.barycentric.astype(np.float32)
    header = {
        key: getattr(template, key)
        for key in ("name", "part_names", "expression_names", "joint_names", "licence", "source", "source_sha256")
    }
    if template.bounded:
        write_arrays(path, KIND, 1, arrays, header, table=False)
    else:
        write_arrays(path, KIND, VERSION, arrays, header | {"bounded": False}, table=False)


def _read(path: Path) -> Template:
    arrays, header = read_arrays(path, KIND, VERSION)
    v_template = take(arrays, "v_template", (None, 3), path).astype(np.float32)
    n = len(v_template)
    parents = take(arrays, "parents", (None,), path).astype(np.int64)
    columns = take(arrays, "posedirs_columns", (None,), path).astype(np.int64)
    posedirs = np.zeros((n, 3, 9 * (len(parents) - 1)), np.float32)
    posedirs[:, :, columns] = take(arrays, "posedirs", (n, 3, len(columns)), path)
    index = take(arrays, "joint_regressor_index", (None, 2), path).astype(np.int64)
    regressor = np.zeros((len(parents), n), np.float32)
    regressor[index[:, 0], index[:, 1]] = take(arrays, "joint_regressor_value", (len(index),), path)
    faces = take(arrays, "faces", (None, 3), path).astype(np.int64)
    if faces.max() >= n:
        raise InputError(
            f"expected faces of {path} to name vertices below {n}, but one names {faces.max()}; write the file anew."
        )

    def embedding(points: str, count: int) -> Embedding:
        triangles = take(arrays, f"{points}_triangles", (count, 3), path).astype(np.int64)
        return Embedding(triangles, take(arrays, f"{points}_barycentric", (count, 3), path).astype(np.float32))

    return Template(
        name=header["name"],
        v_template=v_template,
        shapedirs=take(arrays, "shapedirs", (n, 3, None), path).astype(np.float32),
        expressiondirs=take(arrays, "expressiondirs", (n, 3, len(header["expression_names"])), path).astype(np.float32),
        posedirs=posedirs,
        joint_regressor=regressor,
        parents=parents,
        skinning_weights=take(arrays, "skinning_weights", (n, len(parents)), path).astype(np.float32),
        faces=faces,
        uv=take(arrays, "uv", (None, 2), path).astype(np.float32),
        uv_faces=take(arrays, "uv_faces", (len(faces), 3), path).astype(np.int64),
        colours=take(arrays, "colours", (n, 3), path),
        parts=take(arrays, "parts", (n,), path),
        mirror=take(arrays, "mirror", (n,), path).astype(np.int64),
        landmarks68=embedding("landmarks68", 68),
        landmarks478=embedding("landmarks478", 478),
        visible478=take(arrays, "visible478", (478,), path).astype(bool),
        part_names=tuple(header["part_names"]),
        expression_names=tuple(header["expression_names"]),
        joint_names=tuple(header["joint_names"]),
        licence=header["licence"],
        source=header["source"],
        source_sha256=header["source_sha256"],
        bounded=header.get("bounded", True),
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
    )
