"""What an importer reads from a source, and the template it becomes: points, parts and colours are found here."""

from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial import cKDTree

from reconstruction.closest import closest_places
from reconstruction.detector_points import embed_detector_points, follow_detector, no_points
from reconstruction.errors import InputError
from reconstruction.importers.parts import PARTS, paint, plain_colours
from reconstruction.template import Template

AGREE = 0.008  # metres that a source's own landmarks lie at most, in the median, from the detector's to be believed
CONTOUR_AND_BROWS = np.arange(68) < 27


@dataclass(frozen=True)
class Head:
    """A head model in our terms and units; names and frames as in `Template`.

    parts : (V,) of `PARTS`; only what the source tells: skin, eyes and mouth
    landmarks68 : (68, 3) metres, where the source knows the iBUG 68
    uv, uv_faces : where the source has them
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
    parts: np.ndarray
    expression_names: tuple[str, ...]
    joint_names: tuple[str, ...]
    licence: str
    source: str
    source_sha256: str
    bounded: bool
    landmarks68: np.ndarray | None = None
    uv: np.ndarray | None = None
    uv_faces: np.ndarray | None = None

    def largest(self, n_shape: int | None, n_expression: int | None) -> "Head":
        """Only so many shape and expression components, those that move the vertices most, in their order."""

        def keep(directions: np.ndarray, n: int | None, what: str) -> np.ndarray:
            there = directions.shape[2]
            if n is not None and not 0 < n <= there:
                raise InputError(
                    f"expected 1 to {there} {what} components, as {self.name} has, but {n} were asked for; name fewer."
                )
            size = np.einsum("vdk,vdk->k", directions, directions)
            return np.sort(np.argsort(-size, kind="stable")[: n or there])

        shape = keep(self.shapedirs, n_shape, "shape")
        expression = keep(self.expressiondirs, n_expression, "expression")
        return replace(
            self,
            shapedirs=self.shapedirs[:, :, shape],
            expressiondirs=self.expressiondirs[:, :, expression],
            expression_names=tuple(self.expression_names[i] for i in expression),
        )

    def to_template(self) -> Template:
        """The template, its detector points, iBUG 68, parts and colours found by looking at the neutral face.

        It is looked at twice: first with eyes and mouth alone coloured, then with brows, lids and lips painted where
        they have been found.

        Raises
        ------
        InputError
            The detector does not find the face, or vertices, directions or weights do not belong together.
        """
        self.check()
        uv, uv_faces = self.uv, self.uv_faces
        if uv is None or uv_faces is None:
            uv, uv_faces = unroll(self.v_template, self.faces)
        plain = Template(
            name=self.name, v_template=self.v_template.astype(np.float32), shapedirs=self.shapedirs,
            expressiondirs=self.expressiondirs, posedirs=self.posedirs, joint_regressor=self.joint_regressor,
            parents=self.parents, skinning_weights=self.skinning_weights, faces=self.faces, uv=uv, uv_faces=uv_faces,
            colours=plain_colours(self.parts), parts=self.parts,
            mirror=cKDTree(self.v_template).query(self.v_template * [-1, 1, 1])[1],
            landmarks68=no_points(68), landmarks478=no_points(478), visible478=np.zeros(478, bool),
            part_names=PARTS, expression_names=self.expression_names, joint_names=self.joint_names,
            licence=self.licence, source=self.source, source_sha256=self.source_sha256, bounded=self.bounded,
        )  # fmt: skip
        first = follow_detector(embed_detector_points(plain), np.ones(68, bool))
        marks, own = first.landmarks68(first.v_template), self.landmarks68
        known = own is not None and bool(np.median(np.linalg.norm(own - marks, axis=1)) < AGREE)
        if own is not None and known:
            marks = own
        parts, colours = paint(self.v_template, self.parts, marks)
        painted = embed_detector_points(replace(first, parts=parts, colours=colours))
        if not known:
            return follow_detector(painted, np.ones(68, bool))
        skin = self.faces[(self.parts == PARTS.index("skin"))[self.faces].all(1)]
        return follow_detector(
            replace(painted, landmarks68=closest_places(marks, self.v_template, skin)), CONTOUR_AND_BROWS
        )

    def check(self) -> None:
        """Raise InputError where sizes do not agree, faces name no vertices, or numbers are not finite."""
        n, joints = len(self.v_template), len(self.parents)
        shapes = {
            "vertices": (self.v_template, (n, 3)),
            "shape directions": (self.shapedirs, (n, 3, self.shapedirs.shape[-1])),
            "expression directions": (self.expressiondirs, (n, 3, len(self.expression_names))),
            "pose directions": (self.posedirs, (n, 3, 9 * (joints - 1))),
            "joint regressor": (self.joint_regressor, (joints, n)),
            "skinning weights": (self.skinning_weights, (n, joints)),
            "triangles": (self.faces, (len(self.faces), 3)),
        }

        def expect(what: str, right: bool, found: str) -> None:
            if not right:
                raise InputError(f"expected {what} in {self.source}, but {found}; get the model anew.")

        for what, (array, shape) in shapes.items():
            expect(f"{what} of shape {shape}", array.shape == shape and array.size > 0, f"found {array.shape}")
            expect(f"finite {what}", bool(np.isfinite(array).all()), "some are not")
        named = self.faces.min() >= 0 and self.faces.max() < n
        expect(f"triangles of vertices below {n}", bool(named), "some name others")
        follows = self.parents[0] == -1 and all(0 <= p < i for i, p in enumerate(self.parents[1:], 1))
        expect("joints that follow their parents", follows, "they do not")
        sums = self.skinning_weights.sum(1)
        expect("skinning weights that sum to 1", bool(np.abs(sums - 1).max() < 0.01), "some do not")


def unroll(vertices: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """UV (3 F, 2) in 0..1 and their indices (F, 3) for a mesh without: a cylinder about y, its seam at the back."""
    centre = (vertices.min(0) + vertices.max(0)) / 2
    arm = vertices - centre
    u = np.arctan2(arm[:, 0], arm[:, 2])[faces]
    u += 2 * np.pi * ((u.max(1, keepdims=True) - u) > np.pi)  # no triangle runs round the whole head
    v = (arm[:, 1] / np.ptp(vertices[:, 1]) + 0.5)[faces]
    flat = np.stack([0.5 + u / (4 * np.pi), v], 2).reshape(-1, 2)
    uv, ids = np.unique(flat.astype(np.float32), axis=0, return_inverse=True)
    return uv, ids.reshape(-1, 3)
