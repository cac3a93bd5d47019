"""ICT-FaceKit (Li et al. 2020), from its folder of OBJ files or from an npz of the same arrays.

Its own expressions open the jaw and move the lids with the gaze; here these follow the jaw and eye joints as pose
correctives, in proportion to the sine of the angle, so that the shapes are the source's and a gaze is an angle.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from reconstruction.errors import InputError
from reconstruction.importers.head import Head
from reconstruction.importers.npz import read_npz
from reconstruction.importers.parts import PARTS, eyeball_parts
from reconstruction.importers.rig import (
    GAZE_SIDEWAYS,
    JOINTS,
    PARENTS,
    about,
    correctives,
    gaze_turns,
    regress,
    rotation,
    sphere_centre,
)

VERTICES = 26719
# vertex ranges; from LASHES on there are films and cards that stand for wet or hairy things
FACE, MOUTH, SOCKETS, GUMS, TEETH = (0, 9409), (11248, 13294), (13294, 14062), (14062, 17039), (17039, 21451)
LEFT_EYE, RIGHT_EYE, LASHES = (21451, 23021), (23021, 24591), 24591
NEUTRAL = "generic_neutral_mesh.obj"
LICENCE = "MIT (ICT Face Model Light, (c) 2020 USC Institute for Creative Technologies)"
POSED = ("jawOpen", "jawLeft", "jawRight")  # expressions that are pose here, beside gaze
PER_METRE = 100
TILES = 0.2  # of the UV square's height, where all but the skin goes


@dataclass(frozen=True)
class Model:
    """The source as it is, in metres; deltas are (V, 3) each.

    neutral : (V, 3); polygons, uv_polygons : (P, 4), -1 as the last of a triangle; uv : (U, 2), one tile a material
    modes : (N, V, 3); expressions : by ICT's names; landmarks68 : (68,) vertices, where they are known
    """

    neutral: np.ndarray
    polygons: np.ndarray
    uv: np.ndarray
    uv_polygons: np.ndarray
    modes: np.ndarray
    expressions: dict[str, np.ndarray]
    landmarks68: np.ndarray | None
    sha256: str

    @property
    def triangles(self) -> np.ndarray:
        """(F, 3)"""
        return _split(self.polygons, self.polygons[:, 3] >= 0)

    def lower_teeth(self) -> np.ndarray:
        """Ids of the vertices of the teeth that the opening jaw takes along."""
        teeth = np.arange(*TEETH)
        moved = np.linalg.norm(self.expressions["jawOpen"][teeth], axis=1)
        return teeth[moved > 0.5 * moved.max()]


def load_model(source: Path) -> Model:
    """The model in an npz file or a folder of OBJ files.

    Raises
    ------
    InputError
        Arrays or files are missing, damaged, or of another topology.
    """
    model = _from_folder(source) if source.is_dir() else _from_npz(source)
    wanted = {"jawOpen", "jawLeft", "jawRight", *(f"eyeLook{d}_{s}" for d in gaze_turns(0) for s in "LR")}
    missing = sorted(wanted - model.expressions.keys())
    if missing:
        raise InputError(f"expected the expression {missing[0]!r} in {source}, but it is missing; get the model anew.")
    deltas = (model.modes, *model.expressions.values())
    if model.neutral.shape != (VERTICES, 3) or any(delta.shape[-2:] != (VERTICES, 3) for delta in deltas):
        raise InputError(
            f"expected the {VERTICES:,} vertices of the ICT Face Model Light in {source}, but found "
            f"{len(model.neutral):,}; get that model."
        )
    ids = model.landmarks68
    if not 0 <= model.polygons[:, :3].min() <= model.polygons.max() < VERTICES or (
        ids is not None and (ids.shape != (68,) or not 0 <= ids.min() <= ids.max() < VERTICES)
    ):
        raise InputError(f"expected polygons and landmarks of {source} to name its vertices; get the model anew.")
    return model


def read_ict(source: Path) -> Head:
    """The head in an npz file or a folder of OBJ files; all of the source's vertices, in its order.

    Raises
    ------
    InputError
        See `load_model`.
    """
    model = load_model(source)
    n = len(model.neutral)
    kept = (model.polygons < LASHES).all(1)
    polygons, uv_polygons = model.polygons[kept], model.uv_polygons[kept]
    quads = polygons[:, 3] >= 0
    parts = np.full(n, PARTS.index("skin"), np.uint8)
    for name, (first, end) in (("mouth", MOUTH), ("socket", SOCKETS), ("mouth", GUMS), ("teeth", TEETH)):
        parts[first:end] = PARTS.index(name)
    parts[LASHES:] = PARTS.index("lid")
    regressor, skinning = np.zeros((5, n)), np.zeros((n, 5))
    skinning[:, 1] = 1  # the source has no neck that bends
    low, high = model.neutral[: FACE[1]].min(0), model.neutral[: FACE[1]].max(0)
    hinge = np.array([0, (low + high)[1] / 2, (low + high)[2] / 2])  # nothing is skinned to the jaw: for the eye only
    for joint in range(3):
        regressor[joint] = regress(model.neutral[: MOUTH[0]], hinge, n)
    for joint, (first, end) in ((3, LEFT_EYE), (4, RIGHT_EYE)):
        ball = model.neutral[first:end]
        parts[first:end] = eyeball_parts(ball)
        white = ball[ball[:, 2] < ball[:, 2].max() - 0.004]  # without the cornea's bulge
        regressor[joint, first:end] = regress(ball, sphere_centre(white)[0], end - first)
        skinning[first:end] = np.eye(5)[joint]
    named = [name for name in model.expressions if not name.startswith(("eyeLook", "Pupil")) and name not in POSED]
    expressions = np.stack([model.expressions[name] for name in named], 2)
    expressions[LEFT_EYE[0] : RIGHT_EYE[1]] = 0  # a lid moves over the eyeball, it does not drag it along
    return Head(
        name="ict-facekit", v_template=model.neutral, shapedirs=np.moveaxis(model.modes, 0, 2).astype(np.float32),
        expressiondirs=expressions.astype(np.float32), posedirs=pose_directions(model).astype(np.float32),
        joint_regressor=regressor.astype(np.float32), parents=PARENTS, skinning_weights=skinning.astype(np.float32),
        faces=_split(polygons, quads), parts=parts, expression_names=tuple(arkit(name) for name in named),
        joint_names=JOINTS, licence=LICENCE, source="ICT-VGL/ICT-FaceKit, ICT Face Model Light",
        source_sha256=model.sha256, bounded=True,
        landmarks68=None if model.landmarks68 is None else model.neutral[model.landmarks68],
        uv=one_square(model.uv), uv_faces=_split(uv_polygons, quads),
    )  # fmt: skip


def pose_directions(model: Model) -> np.ndarray:
    """(V, 3, 36) the source's jaw and gaze shapes as correctives of jaw and eye joints."""
    out = np.zeros((len(model.neutral), 3, 36))
    teeth = model.lower_teeth()
    shut = model.neutral[teeth]
    pairs = []
    for name, axis in (("jawOpen", 0), ("jawLeft", 1), ("jawRight", 1)):
        turn, _ = rotation(shut, shut + model.expressions[name][teeth])
        angle = np.arctan2(turn[2, 1], turn[2, 2]) if axis == 0 else np.arctan2(turn[0, 2], turn[2, 2])
        pairs.append((about(axis, float(angle)), model.expressions[name]))
    out[:, :, 9:18] = correctives(pairs, [7, 2, 0])
    for joint, side, outward in ((3, "L", GAZE_SIDEWAYS), (4, "R", -GAZE_SIDEWAYS)):
        lids = {name: model.expressions[f"eyeLook{name}_{side}"].copy() for name in gaze_turns(outward)}
        for delta in lids.values():
            delta[LEFT_EYE[0] : RIGHT_EYE[1]] = 0
        turned = [(turn, lids[name]) for name, turn in gaze_turns(outward).items()]
        out[:, :, 9 * (joint - 1) : 9 * joint] = correctives(turned, [7, 4, 2, 0])
    return out


def arkit(name: str) -> str:
    """`browDown_L` to ARKit's `browDownLeft`."""
    return name[:-2] + {"_L": "Left", "_R": "Right"}[name[-2:]] if name[-2:] in ("_L", "_R") else name


def one_square(uv: np.ndarray) -> np.ndarray:
    """UV (U, 2) of tiles side by side, one a material, in 0..1: the skin's above, the others in a row below."""
    tile = np.floor(uv[:, 0]).clip(0).astype(int)
    inner = np.stack([uv[:, 0] - tile, uv[:, 1]], 1)
    below = np.stack([(tile - 1 + inner[:, 0]) / max(1, tile.max()), TILES * inner[:, 1]], 1)
    above = np.stack([inner[:, 0], TILES + (1 - TILES) * inner[:, 1]], 1)
    return np.where(tile[:, None] == 0, above, below).clip(0, 1).astype(np.float32)


def _split(polygons: np.ndarray, quads: np.ndarray) -> np.ndarray:
    """(F, 3) triangles of polygons (P, 4), those of `quads` (P,) bool cut in two."""
    return np.concatenate([polygons[:, :3], polygons[quads][:, [0, 2, 3]]]).astype(np.int64)


def _from_npz(path: Path) -> Model:
    names = ("neutral", "polygons", "uv", "uv_polygons", "identity", "expression", "expression_names", "landmarks68")
    data = read_npz(path, names)
    if len(data["expression_names"]) != len(data["expression"]) or data["polygons"].shape != data["uv_polygons"].shape:
        raise InputError(f"expected a name for every expression and UV for every polygon in {path}; get it anew.")
    deltas = data["expression"].astype(np.float64) / PER_METRE
    return Model(
        data["neutral"].astype(np.float64) / PER_METRE, data["polygons"], data["uv"], data["uv_polygons"],
        data["identity"].astype(np.float64) / PER_METRE,
        {str(name): delta for name, delta in zip(data["expression_names"], deltas, strict=True)},
        data["landmarks68"].astype(np.int64), hashlib.sha256(path.read_bytes()).hexdigest(),
    )  # fmt: skip


def _from_folder(folder: Path) -> Model:
    files = sorted(folder.glob("*.obj"))
    digest = hashlib.sha256()
    shapes = {}
    neutral_text = ""
    for path in files:
        content = path.read_bytes()
        digest.update(path.name.encode() + b"\0" + content)
        text = content.decode("ascii", "replace")
        shapes[path.stem] = _rows(text, "v ", path)[:, :3] / PER_METRE
        if path.name == NEUTRAL:
            neutral_text = text
    if not neutral_text:
        raise InputError(f"expected {NEUTRAL} in {folder}, but it is missing; pass ICT-FaceKit's folder FaceXModel.")
    neutral = shapes.pop(Path(NEUTRAL).stem)
    other = [name for name, points in shapes.items() if points.shape != neutral.shape]
    if other:
        raise InputError(
            f"expected {len(neutral):,} vertices in {folder / other[0]}.obj, but there are others; get it anew."
        )
    modes = [points - neutral for name, points in shapes.items() if name.startswith("identity")]
    if not modes:
        raise InputError(
            f"expected identity000.obj and more in {folder}, but there are none; pass the folder FaceXModel."
        )
    expressions = {name: points - neutral for name, points in shapes.items() if not name.startswith("identity")}
    polygons, uv_polygons = _polygons(neutral_text, folder / NEUTRAL)
    return Model(
        neutral, polygons, _rows(neutral_text, "vt ", folder / NEUTRAL)[:, :2], uv_polygons, np.stack(modes),
        expressions, _landmarks(folder / "vertex_indices.json"), digest.hexdigest(),
    )  # fmt: skip


def _rows(text: str, start: str, path: Path) -> np.ndarray:
    """(N, 2 or more) numbers of the lines that begin with `start`."""
    rows = [line[len(start) :].split() for line in text.splitlines() if line.startswith(start)]
    try:
        array = np.array(rows, np.float64)
    except ValueError:
        array = np.zeros(0)
    if array.ndim != 2 or not np.isfinite(array).all():
        raise InputError(f"expected lines of finite numbers after {start!r} in {path}, but some are not; get it anew.")
    return array


def _polygons(text: str, path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Vertex and UV ids (P, 4) of the faces of an OBJ file, -1 as the last of a triangle."""
    polygons: list[list[int]] = []
    uv_polygons: list[list[int]] = []
    try:
        for line in text.splitlines():
            if line.startswith("f "):
                corners = [corner.split("/") for corner in line[2:].split()]
                if len(corners) not in (3, 4):
                    raise ValueError(f"{len(corners)} corners")
                ids = [[int(corner[k]) - 1 for corner in corners] for k in (0, 1)]
                for found, out in zip(ids, (polygons, uv_polygons), strict=True):
                    out.append(found + [-1] * (4 - len(found)))
    except (ValueError, IndexError) as error:
        raise InputError(f"expected triangles and quads with UV in {path}, but found {error}; get it anew.") from None
    return np.array(polygons), np.array(uv_polygons)


def _landmarks(path: Path) -> np.ndarray | None:
    """The iBUG 68 that ICT-FaceKit's ``vertex_indices.json`` names, where it is there."""
    if not path.is_file():
        return None
    try:
        return np.array(json.loads(path.read_text())["idx_to_landmark_verts"], np.int64)
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"expected 'idx_to_landmark_verts' in {path}, but found {error!r}; get it anew.") from None
