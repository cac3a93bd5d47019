"""Joints: where they turn, what they take along, and the correctives that make skinning meet the source's shapes."""

from dataclasses import dataclass

import numpy as np
import trimesh

from reconstruction.importers.rig import GAZE_SIDEWAYS, about, correctives, gaze_turns, regress, rotation
from template.assembly import Assembly

ROOT_CENTRE, NECK_CENTRE = np.array([0.0, -0.112, -0.015]), np.array([0.0, -0.080, -0.010])


@dataclass
class Rig:
    """centres (J, 3); regressor (J, V); skinning (V, J); jaw_angle of the source's open jaw, radians."""

    centres: np.ndarray
    regressor: np.ndarray
    skinning: np.ndarray
    jaw_angle: float


def make_rig(mesh: Assembly, delta: dict[str, np.ndarray]) -> Rig:
    """Joints and skinning; delta : the source's expressions on our mesh, by name (V, 3)."""
    teeth = mesh.source.lower_teeth()
    shut = mesh.source.neutral[teeth]
    jaw_turn, jaw_shift = rotation(shut, shut + mesh.source.expressions["jawOpen"][teeth])
    jaw_angle = float(np.arctan2(jaw_turn[2, 1], jaw_turn[2, 2]))
    jaw_centre = np.r_[0, np.linalg.lstsq((np.eye(3) - about(0, jaw_angle))[1:, 1:], jaw_shift[1:], rcond=None)[0]]
    print(f"jaw opens {np.degrees(jaw_angle):.1f} degrees about y, z = {jaw_centre[1:]}")
    centres = np.stack([ROOT_CENTRE, NECK_CENTRE, jaw_centre, *mesh.eye_centres])
    n, n_body, n_ball = len(mesh.vertices), mesh.n_body, mesh.n_ball
    regressor = np.zeros((5, n))
    for j, centre in enumerate(centres[:3]):
        regressor[j] = regress(mesh.vertices[:n_body], centre, n)
    regressor[3, n_body : n_body + n_ball] = regressor[4, n_body + n_ball :] = 1 / n_ball

    # the jaw's share is how far a vertex follows the rigid opening; the rest is left to correctives
    rigid = (mesh.vertices - jaw_centre) @ (about(0, jaw_angle) - np.eye(3)).T
    follow = np.clip((delta["jawOpen"] * rigid).sum(1) / np.maximum((rigid**2).sum(1), 1e-9), 0, 1)
    follow[n_body:] = 0
    follow = (follow + follow[mesh.mirror]) / 2
    head = np.maximum(_head_share(mesh), follow)
    skinning = np.zeros((n, 5))
    skinning[:, 2] = follow
    skinning[:, 1] = head - follow
    skinning[:, 0] = 1 - head
    skinning[n_body:] = 0
    skinning[n_body : n_body + n_ball, 3] = skinning[n_body + n_ball :, 4] = 1
    return Rig(centres, regressor, skinning, jaw_angle)


def _head_share(mesh: Assembly) -> np.ndarray:
    """(V,) 0 at the neck's end to 1: how far a vertex follows the neck joint, blended softly down the neck."""
    vertices, faces = mesh.vertices, np.concatenate(mesh.faces)
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    link = trimesh.graph.edges_to_coo(edges, len(vertices)).astype(float)
    neighbours = np.maximum(np.asarray(link.sum(1)).ravel(), 1)
    head = 1 / (1 + np.exp(-(vertices[:, 1] + 0.088 + 0.35 * np.clip(vertices[:, 2] - 0.02, -1, 0.05)) / 0.010))
    head[vertices[:, 2] > 0.055] = 1
    for _ in range(8):
        head = 0.5 * head + 0.5 * (link @ head) / neighbours
    head[mesh.n_skin :] = 1
    return head


def pose_directions(mesh: Assembly, rig: Rig, delta: dict[str, np.ndarray]) -> np.ndarray:
    """(V, 3, 36) correctives of neck (none), jaw and eyes, per entry of R - I."""
    posedirs = np.zeros((len(mesh.vertices), 3, 36))

    def offset_for(joint: int, turn: np.ndarray, wanted: np.ndarray) -> np.ndarray:
        """What must be added at rest so that skinning with `turn` at `joint` gives the vertices + wanted."""
        w = rig.skinning[:, joint, None, None]
        blend = (1 - w) * np.eye(3) + w * turn
        shift = rig.skinning[:, joint, None] * (rig.centres[joint] - turn @ rig.centres[joint])
        return np.linalg.solve(blend, (mesh.vertices + wanted - shift)[..., None])[..., 0] - mesh.vertices

    source, lower_teeth = mesh.source, mesh.source.lower_teeth()
    jaw_pairs = [(about(0, rig.jaw_angle), delta["jawOpen"])]
    for name in ("jawLeft", "jawRight"):
        aside = source.expressions[name][lower_teeth, 0].mean()
        angle = float(np.arctan2(aside, (source.neutral[lower_teeth] - rig.centres[2])[:, 2].mean()))
        jaw_pairs.append((about(1, angle), delta[name]))
        print(f"{name} {np.degrees(angle):.1f} degrees")
    # entries of R - I: 7 is sin about x, 4 its cosine - 1; 2 is sin about y, 0 its cosine - 1
    posedirs[:, :, 9:18] = correctives([(turn, offset_for(2, turn, d)) for turn, d in jaw_pairs], [7, 2, 0])
    for joint, side, outward in ((3, "L", GAZE_SIDEWAYS), (4, "R", -GAZE_SIDEWAYS)):
        pairs = []
        for name, turn in gaze_turns(outward).items():
            lids = delta[f"eyeLook{name}_{side}"].copy()
            lids[mesh.n_body :] = 0
            pairs.append((turn, lids))
        posedirs[:, :, 9 * (joint - 1) : 9 * joint] = correctives(pairs, [7, 4, 2, 0])
    return posedirs
