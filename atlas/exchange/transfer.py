"""Parameters of one template as those of another: its mesh, posed, is fitted by the other's.

The target's shape is fitted to the person's neutral face; then, frame by frame, expression and jaw to how far every
place has moved from neutral, so that what the target's shape cannot say does not become movement. Least squares with
the coefficients' own spread as the prior; named expressions stay within 0 and 1. Neck and eyes turn as they did.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch

from atlas.exchange.correspondence import INDEPENDENT, Correspondence, at_places, ridge, rigid
from atlas.exchange.motion_fit import NOISE, MotionFit
from reconstruction import __version__
from reconstruction.camera import FACING, axis_angle_from_rotation, rotation_from_axis_angle
from reconstruction.errors import InputError
from reconstruction.face_model import FaceModel
from reconstruction.motion import motion_to_pose, pose_to_motion
from reconstruction.sequence import FaceSequence
from reconstruction.template import Template

ROUNDS = 12  # of fitting the shape and the head's frame in turn
BATCH = 32  # frames at once
HALF = 0.5  # of an expression's squared movement: less is poorly expressed
EYES = ("left_eye", "right_eye")


@dataclass(frozen=True)
class Transferred:
    """sequence : of the target template
    shape_mm : distance of corresponding places of the neutral faces, root mean square
    motion_mm : (T,) the same of how far they have moved from neutral, of valid frames
    motion_share : share of the squared motion that the target expresses, at most 1
    poorly : {expression of the source: that share}, those that occur and lose more than half
    """

    sequence: FaceSequence
    shape_mm: float
    motion_mm: np.ndarray
    motion_share: float
    poorly: dict[str, float]

    @property
    def notes(self) -> list[str]:
        """What to tell the user."""
        out = [
            f"transferred to {self.sequence.template}: neutral face {self.shape_mm:.2f} mm apart, motion "
            f"{np.median(self.motion_mm):.2f} mm (median over frames), {100 * self.motion_share:.0f} % of it expressed"
        ]
        if self.poorly:
            out.append("poorly expressed: " + ", ".join(f"{n} {100 * s:.0f} %" for n, s in self.poorly.items()))
        return out


def transfer(sequence: FaceSequence, source: Template, target: Template, places: Correspondence) -> Transferred:
    """A recording's parameters as those of `target`.

    places : of `correspond`

    Raises
    ------
    InputError
        The sequence is of another template than `source`, or has no valid frame.
    """
    sequence.check_template(source)
    if not sequence.valid.any():
        raise InputError("expected a frame with a trustworthy face, but there is none; use a better recording.")
    used = np.flatnonzero(sequence.valid)
    with torch.no_grad():
        return _transferred(sequence, source, target, places, used)


def _transferred(
    sequence: FaceSequence, source: Template, target: Template, places: Correspondence, used: np.ndarray
) -> Transferred:
    wanted = places.source(sequence.neutral(source).astype(np.float64))
    shape, shape_sd, turn, shift = _fit_shape(sequence, source, target, places, wanted)
    fit = MotionFit(target, places, shape)
    off = wanted @ turn.T + shift - fit.neutral.numpy()
    pose = _kept_pose(sequence, source, target, used, turn)
    start = torch.from_numpy(pose_to_motion(target, np.zeros((len(used), target.n_expression)), pose))

    there, person = FaceModel(source, embedding=places.source), torch.from_numpy(sequence.shape)[None]
    motion = torch.empty_like(start)
    lost, whole = torch.zeros(len(used)).double(), torch.zeros(len(used)).double()
    for first in range(0, len(used), BATCH):
        part, frames = slice(first, first + BATCH), used[first : first + BATCH]
        expression = torch.from_numpy(sequence.expression[frames])
        moved = there(person, expression, torch.from_numpy(_face_pose(sequence, frames)))
        goal = torch.from_numpy(moved.numpy().astype(np.float64) @ turn.T + shift - off)
        motion[part] = fit(goal, start[part])
        lost[part], whole[part] = fit.squares(goal, motion[part]), fit.squares(goal)
    moved_by = np.einsum("ij,kje->kie", turn, at_places(places.source, source.expressiondirs))
    shares, spread = fit.reach(moved_by, sequence.expression_sd)
    occurs = sequence.expression[used].max(0) > (0.1 if source.bounded else 1.0)
    poorly = {
        name: float(shares[i]) for i, name in enumerate(source.expression_names) if occurs[i] and shares[i] < HALF
    }
    share = 1 - float(lost.sum() / whole.sum()) if whole.sum() > 1e-18 else 1.0
    motion_mm = 1000 * lost.sqrt().numpy()
    shape_mm = 1000 * float(np.sqrt(places.weights @ (off**2).sum(1)))
    about = {
        "software": f"digital-face-atlas {__version__}",
        "from": source.name,
        "from_sha256": source.sha256,
        "shape_mm": round(shape_mm, 3),
        "motion_mm": round(float(np.median(motion_mm)), 3),
        "motion_share": round(share, 4),
        "poorly": {name: round(s, 2) for name, s in poorly.items()},
    }
    made = replace(
        _sequence(sequence, source, target, used, motion.numpy(), pose, shape, turn, shift),
        shape_sd=shape_sd.astype(np.float32),
        expression_sd=spread.astype(np.float32),
        provenance={"transferred": about, "source": sequence.provenance},
    )
    return Transferred(made, shape_mm, motion_mm, share, poorly)


def _kept_pose(
    sequence: FaceSequence, source: Template, target: Template, used: np.ndarray, turn: np.ndarray
) -> np.ndarray:
    """(T, J, 3) the target's pose with those joints turned that both have, but for the head; target's axes."""
    pose = np.zeros((len(used), target.n_joints, 3))
    for name in ("neck", "jaw", *EYES):
        if name in source.joint_names and name in target.joint_names:
            pose[:, target.joint(name)] = sequence.pose[used, source.joint(name)] @ turn.T
    return pose


def _fit_shape(
    sequence: FaceSequence,
    source: Template,
    target: Template,
    places: Correspondence,
    wanted: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(S,) shape, its standard errors, and the target's head frame from the source's, fitted to the source's points of
    the neutral face (K, 3).
    """
    directions = at_places(places.target, target.shapedirs).astype(np.float64)
    mean = places.target(target.v_template.astype(np.float64))
    weights = places.weights * INDEPENDENT / NOISE**2
    shape, turn, shift = np.zeros(target.n_shape), places.turn, places.shift
    for _ in range(ROUNDS):
        shape = shape + ridge(directions, wanted @ turn.T + shift - mean - directions @ shape, weights, shape)
        turn, shift = rigid(wanted, mean + directions @ shape, places.weights)
    flat = directions.reshape(-1, target.n_shape)
    left = np.linalg.inv(flat.T @ (flat * np.repeat(weights, 3)[:, None]) + np.eye(target.n_shape))
    moved = np.einsum("ij,kjs->kis", turn, at_places(places.source, source.shapedirs)).reshape(len(flat), -1)
    carried = left @ (flat.T @ (moved * np.repeat(weights, 3)[:, None])) * sequence.shape_sd
    return shape, np.sqrt(np.diag(left) + (carried**2).sum(1)), turn, shift


def _sequence(
    sequence: FaceSequence,
    source: Template,
    target: Template,
    used: np.ndarray,
    motion: np.ndarray,
    kept: np.ndarray,
    shape: np.ndarray,
    turn: np.ndarray,
    shift: np.ndarray,
) -> FaceSequence:
    """The target's parameters, with the head where it was: frames of the camera are the source's."""
    pose = motion_to_pose(target, motion).astype(np.float64)
    for name in ("neck", *EYES):
        if name in target.joint_names:
            pose[:, target.joint(name)] = kept[:, target.joint(name)]
    head = rotation_from_axis_angle(sequence.pose[used, 0]) @ turn.T  # target's head frame to the facing frame
    place = sequence.translation[used].astype(np.float64) - (FACING @ head @ shift)
    if "neck" in source.joint_names:
        bent = sequence.pose[used, source.joint("neck")].astype(np.float64) @ turn.T
        rotation = rotation_from_axis_angle(bent)
        pivot = turn @ _rest_joint(source, sequence.shape, "neck") + shift
        if "neck" in target.joint_names:
            pivot = pivot - _rest_joint(target, shape, "neck")
            place += (FACING @ head @ ((np.eye(3) - rotation) @ pivot)[..., None])[..., 0]
        else:
            place += (FACING @ head @ ((np.eye(3) - rotation) @ pivot)[..., None])[..., 0]
            head = head @ rotation
    pose[:, 0] = axis_angle_from_rotation(head)

    def spread(values: np.ndarray) -> np.ndarray:
        out = np.zeros((len(sequence), *values.shape[1:]), np.float32)
        out[used] = values
        return out

    return replace(
        sequence,
        template=target.name,
        template_sha256=target.sha256,
        expression_names=target.expression_names,
        joint_names=target.joint_names,
        shape=shape.astype(np.float32),
        expression=spread(motion[:, : target.n_expression]),
        pose=spread(pose),
        translation=spread(place),
    )


def _face_pose(sequence: FaceSequence, frames: np.ndarray) -> np.ndarray:
    """The pose of frames without what moves the head as a whole: global rotation and neck."""
    pose = sequence.pose[frames].copy()
    for name in ("global", "neck"):
        if name in sequence.joint_names:
            pose[:, sequence.joint_names.index(name)] = 0
    return pose


def _rest_joint(template: Template, shape: np.ndarray, name: str) -> np.ndarray:
    return template.joint_regressor[template.joint(name)].astype(np.float64) @ (
        template.v_template + template.shapedirs @ shape
    )
