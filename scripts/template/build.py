"""The template from the source: mesh, shape and expression bases, joints, landmarks, colours."""

import numpy as np

from reconstruction.detector_points import no_points
from reconstruction.importers.ict import arkit
from reconstruction.importers.parts import PARTS
from reconstruction.importers.rig import JOINTS, PARENTS
from reconstruction.template import Template
from template.assembly import Assembly, assemble
from template.joints import make_rig, pose_directions
from template.parts import label
from template.points import embed_landmarks68
from template.skin import density
from template.source import Source
from template.uv import unwrap_all

N_SHAPE = 50
NECK_END = -0.118  # metres: the source's shoulders are left out
CLOSED = 1.12  # the source's blink leaves a slit that its lashes hide
POSED = ("jawOpen", "jawLeft", "jawRight")  # the source's expressions that are pose here, beside gaze


def build(source: Source, source_sha256: str) -> Template:
    """Everything but the 478 detector points, which need a rendered face."""
    mesh = assemble(source, NECK_END)
    shapedirs = shape_directions(mesh)
    delta = {name: mesh.move(d) for name, d in mesh.source.expressions.items()}
    rig = make_rig(mesh, delta)
    posedirs = pose_directions(mesh, rig, delta)
    named = [name for name in delta if not name.startswith(("eyeLook", "Pupil")) and name not in POSED]
    expressiondirs = np.stack([delta[name] for name in named], 2)
    for i, name in enumerate(named):
        if name.startswith("eyeBlink"):
            expressiondirs[:, :, i] *= CLOSED
    expressiondirs[mesh.n_body :] = 0  # a lid moves over the eyeball, it does not drag it along
    uv, uv_faces = unwrap_all(mesh.vertices, mesh.n_skin, mesh.faces)
    marks = mesh.source.neutral[mesh.source.landmarks68]
    parts, colours = label(mesh.source, mesh.vertices, mesh.skin_ids, np.concatenate([mesh.ball_parts] * 2))
    faces = np.concatenate(mesh.faces)
    print(f"{len(mesh.vertices)} vertices, {len(faces)} faces")
    return Template(
        name="atlas-head", v_template=mesh.vertices.astype(np.float32), shapedirs=shapedirs.astype(np.float32),
        expressiondirs=expressiondirs.astype(np.float32), posedirs=posedirs.astype(np.float32),
        joint_regressor=rig.regressor.astype(np.float32), parents=PARENTS,
        skinning_weights=rig.skinning.astype(np.float32), faces=faces, uv=uv.astype(np.float32), uv_faces=uv_faces,
        colours=colours, parts=parts, mirror=mesh.mirror,
        landmarks68=embed_landmarks68(marks, mesh.vertices, mesh.faces[0]),
        landmarks478=no_points(478), visible478=np.zeros(478, bool),
        part_names=PARTS, expression_names=tuple(arkit(name) for name in named), joint_names=JOINTS,
        licence="MIT; learnt from the ICT Face Model Light, (c) 2020 USC Institute for Creative Technologies",
        source="ICT-VGL/ICT-FaceKit, ICT Face Model Light", source_sha256=source_sha256,
    )  # fmt: skip


def shape_directions(mesh: Assembly) -> np.ndarray:
    """(V, 3, S) principal components of the source's modes on our mesh, the face counting most."""
    vertices = mesh.vertices
    modes = np.stack([mesh.move(mode) for mode in mesh.source.modes])
    face = (vertices[:, 2] > 0.03) & (vertices[:, 1] > -0.11)
    importance = np.sqrt(0.15 + 0.85 * face + density(vertices, mesh.source))
    importance[mesh.n_skin : mesh.n_body] = 0.1
    _, scale, right = np.linalg.svd((modes * importance[:, None]).reshape(len(modes), -1).T, full_matrices=False)
    kept = (scale[:N_SHAPE] ** 2).sum() / (scale**2).sum()
    print(f"{N_SHAPE} of {len(modes)} components keep {100 * kept:.2f} % of the weighted variance")
    right *= np.sign(np.einsum("sk,kvd->svd", right, modes)[:, :, 1].sum(1))[:, None]  # a deterministic sign
    return np.einsum("sk,kvd->vds", right[:N_SHAPE], modes)
