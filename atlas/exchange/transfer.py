"""Parameters of one template as those of another: its mesh, posed, is fitted by the other's.

Which places of two templates correspond is found once, on their mean heads: aligned by their landmarks, the target
takes the source's form as far as it can, and its vertices' closest places on the source are theirs. Of a recording, the
target's shape is fitted to the person's neutral face; then, frame by frame, expression and jaw to how far every place
has moved from neutral, so that what the target's shape cannot say does not become movement. Least squares with the
coefficients' own spread as the prior; named expressions stay within 0 and 1. Neck and eyes turn as they did.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch

from atlas.exchange.box import box_least_squares
from atlas.motion import face_mask, vertex_areas
from reconstruction import __version__
from reconstruction.camera import FACING, axis_angle_from_rotation, rotation_from_axis_angle
from reconstruction.errors import InputError
from reconstruction.face_model import FaceModel
from reconstruction.motion import motion_to_pose
from reconstruction.projection import PointModel
from reconstruction.sequence import FaceSequence
from reconstruction.template import Embedding, Template

POINTS = 700  # places of the face that are fitted
ROUNDS = 12  # of finding closest places and fitting the form
FARTHEST = 0.006  # metres between corresponding places of the mean heads
NOISE, INDEPENDENT = 0.0002, 300  # metres that a place is unsure; places that count as independent
LOOSE = 0.001  # metres, the same while forms of mean heads are fitted
MARKS_NOISE = 0.003  # metres that a landmark of one template lies beside the other's
EXPRESSION_SD, JAW_SD = 0.3, 0.2  # prior of a bounded expression, and of the jaw's angles in radians
STEPS, BATCH = 3, 32  # Gauss-Newton; frames at once


@dataclass(frozen=True)
class Correspondence:
    """Places of two templates.

    source : (K,) places on the source; target : (K,) the target's vertices; weights : (K,) sum to 1
    turn, shift : (3, 3), (3,) metres: target's head frame from the source's
    apart_mm : between the mean heads' places, root mean square
    """

    source: Embedding
    target: Embedding
    weights: np.ndarray
    turn: np.ndarray
    shift: np.ndarray
    apart_mm: float


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


def correspond(source: Template, target: Template) -> Correspondence:
    """Which places of the target's face are which of the source's.

    Raises
    ------
    InputError
        The templates' faces do not lie upon one another.
    """
    # open3d takes a second to import
    from reconstruction.closest import closest_places

    both = source.visible478 & target.visible478
    if both.sum() >= 100:
        marks = source.landmarks478.of(both), target.landmarks478.of(both)
    else:
        marks = source.landmarks68, target.landmarks68
    model = PointModel(target, marks[1])
    there = marks[0](source.v_template.astype(np.float64))
    turn, shift = _rigid(there, marks[1](target.v_template.astype(np.float64)))
    chosen, areas = _chosen(target)
    vertices, zero = PointModel(target, _vertices(chosen)), torch.zeros(1, len(model.angles) + target.n_expression)
    shape = torch.zeros(target.n_shape).double()
    skin = source.faces[source.skin[source.faces].all(1)]
    with torch.no_grad():
        for _ in range(ROUNDS):
            now = vertices.points(shape, zero.double())[0].numpy()
            moved = source.v_template @ turn.T + shift
            places = closest_places(now, moved, skin)(moved)
            own = model.points(shape, zero.double())[0].numpy()
            near = np.linalg.norm(places - now, axis=1) < 3 * FARTHEST
            if not near.any():
                raise _apart(source, target)
            weights = areas * near / LOOSE**2 * INDEPENDENT / (areas * near).sum()
            on_marks = np.full(len(own), INDEPENDENT / len(own) / MARKS_NOISE**2)
            directions = np.concatenate([target.shapedirs[chosen], _at(marks[1], target.shapedirs)]).astype(np.float64)
            goal = np.concatenate([places - now, there @ turn.T + shift - own])
            every = np.concatenate([weights, on_marks])
            shape = shape + torch.from_numpy(_ridge(directions, goal, every, shape.numpy()))
            now = vertices.points(shape, zero.double())[0].numpy()
            before = (places - shift) @ turn
            turn, shift = _rigid(before, now, weights)
    moved = source.v_template @ turn.T + shift
    found = closest_places(now, moved, skin)
    apart = np.linalg.norm(found(moved) - now, axis=1)
    kept = apart < FARTHEST
    if kept.sum() < len(kept) / 2:
        raise _apart(source, target)
    weights = areas[kept] / areas[kept].sum()
    rms = 1000 * float(np.sqrt(weights @ apart[kept] ** 2))
    return Correspondence(found.of(kept), _vertices(chosen[kept]), weights, turn, shift, rms)


def _apart(source: Template, target: Template) -> InputError:
    return InputError(
        f"expected faces that lie upon one another, but half of {target.name} is more than {1000 * FARTHEST:g} mm from "
        f"{source.name}; look at both with face-atlas template info --picture."
    )


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
    n = target.n_expression
    model = PointModel(target, places.target)
    person = torch.from_numpy(sequence.shape)[None]
    neutral_there = places.source(sequence.neutral(source).astype(np.float64))
    shape, shape_sd, turn, shift = _fit_shape(model, sequence, source, target, places, neutral_there)
    rest = torch.zeros(1, n + len(model.angles)).double()
    neutral = model.points(torch.from_numpy(shape), rest)[0]
    off = neutral_there @ turn.T + shift - neutral.numpy()

    fitted = (
        [i for i, (joint, _) in enumerate(model.angles) if joint == target.joint_names.index("jaw")]
        if ("jaw" in target.joint_names)
        else []
    )
    columns = torch.tensor([*range(n), *(n + i for i in fitted)])
    sd = np.r_[np.full(n, EXPRESSION_SD if target.bounded else 1.0), np.full(len(fitted), JAW_SD)]
    low = np.r_[np.full(n, 0.0 if target.bounded else -np.inf), np.full(len(fitted), -np.inf)]
    high = np.r_[np.full(n, 1.0 if target.bounded else np.inf), np.full(len(fitted), np.inf)]
    prior = torch.from_numpy(np.diag(sd**-2))
    bounds = torch.from_numpy(low), torch.from_numpy(high)
    weights = torch.from_numpy(places.weights * INDEPENDENT / NOISE**2)
    there = FaceModel(source, embedding=places.source)

    motion = torch.zeros(len(used), n + len(model.angles)).double()
    squares, whole = np.zeros(len(used)), np.zeros(len(used))
    for start in range(0, len(used), BATCH):
        frames = used[start : start + BATCH]
        moved = there(
            person, torch.from_numpy(sequence.expression[frames]), torch.from_numpy(_face_pose(sequence, frames))
        )
        goal = torch.from_numpy(moved.numpy().astype(np.float64) @ turn.T + shift - off)
        here, rest_of = motion[start : start + BATCH], goal - neutral
        for _ in range(STEPS):
            now, by, _ = model.derivatives(torch.from_numpy(shape), here, by_shape=False)
            by = by[..., columns]
            weighted = (by * weights[:, None, None]).flatten(1, 2)
            wanted = (goal - now).flatten(1) + (by.flatten(1, 2) @ here[:, columns, None])[..., 0]
            left = weighted.mT @ by.flatten(1, 2) + prior
            here[:, columns] = box_least_squares(
                left, (weighted.mT @ wanted[..., None])[..., 0], here[:, columns], *bounds
            )
        error = goal - model.points(torch.from_numpy(shape), here)
        squares[start : start + BATCH] = error.square().sum(2) @ torch.from_numpy(places.weights)
        whole[start : start + BATCH] = rest_of.square().sum(2) @ torch.from_numpy(places.weights)
    basis = model.derivatives(torch.from_numpy(shape), rest, by_shape=False)[1][0][..., columns].flatten(0, 1).numpy()
    shares, spread = _reach(basis, source, sequence, places, sd, turn)
    occurs = sequence.expression[used].max(0) > (0.1 if source.bounded else 1.0)
    poorly = {
        name: float(s) for name, s, o in zip(source.expression_names, shares, occurs, strict=True) if o and s < 0.5
    }
    share = 1 - float(squares.sum() / whole.sum()) if whole.sum() > 1e-18 else 1.0
    made = _sequence(sequence, source, target, used, motion.numpy(), shape, turn, shift)
    motion_mm = 1000 * np.sqrt(squares)
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
        made,
        shape_sd=shape_sd.astype(np.float32),
        expression_sd=spread[:n].astype(np.float32),
        provenance={"transferred": about, "source": sequence.provenance},
    )
    return Transferred(made, shape_mm, motion_mm, share, poorly)


def _fit_shape(
    model: PointModel,
    sequence: FaceSequence,
    source: Template,
    target: Template,
    places: Correspondence,
    wanted: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(S,) shape, its standard errors, and the target's head frame from the source's, fitted to the source's points of
    the neutral face (K, 3).
    """
    directions = _at(places.target, target.shapedirs).astype(np.float64)
    mean = places.target(target.v_template.astype(np.float64))
    weights = places.weights * INDEPENDENT / NOISE**2
    shape, turn, shift = np.zeros(target.n_shape), places.turn, places.shift
    for _ in range(ROUNDS):
        shape = shape + _ridge(directions, wanted @ turn.T + shift - mean - directions @ shape, weights, shape)
        turn, shift = _rigid(wanted, mean + directions @ shape, places.weights)
    flat = directions.reshape(-1, target.n_shape)
    left = np.linalg.inv(flat.T @ (flat * np.repeat(weights, 3)[:, None]) + np.eye(target.n_shape))
    moved = np.einsum("ij,kjs->kis", turn, _at(places.source, source.shapedirs)).reshape(len(flat), -1)
    carried = left @ (flat.T @ (moved * np.repeat(weights, 3)[:, None])) * sequence.shape_sd
    return shape, np.sqrt(np.diag(left) + (carried**2).sum(1)), turn, shift


def _reach(
    basis: np.ndarray,
    source: Template,
    sequence: FaceSequence,
    places: Correspondence,
    sd: np.ndarray,
    turn: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """How much of every expression of the source the target's motion `basis` (3 K, M) expresses, as a share (E,) of its
    squared movement; and the standard errors (M,) that the source's become.
    """
    weights = np.repeat(places.weights, 3)[:, None]
    moved = np.einsum("ij,kje->kie", turn, _at(places.source, source.expressiondirs)).reshape(len(basis), -1)
    scale = INDEPENDENT / NOISE**2
    left = np.linalg.inv(scale * basis.T @ (basis * weights) + np.diag(sd**-2))
    carried = left @ (scale * basis.T @ (moved * weights))
    lost, all_of = (weights * (moved - basis @ carried) ** 2).sum(0), (weights * moved**2).sum(0)
    shares = 1 - np.divide(lost, all_of, out=np.zeros_like(lost), where=all_of > 1e-14)
    return shares, np.sqrt(np.diag(left) + ((carried * sequence.expression_sd) ** 2).sum(1))


def _sequence(
    sequence: FaceSequence,
    source: Template,
    target: Template,
    used: np.ndarray,
    motion: np.ndarray,
    shape: np.ndarray,
    turn: np.ndarray,
    shift: np.ndarray,
) -> FaceSequence:
    """The target's parameters, with the head where it was: frames of the camera are the source's."""
    pose = motion_to_pose(target, motion).astype(np.float64)
    for name in ("left_eye", "right_eye"):
        if name in source.joint_names and name in target.joint_names:
            pose[:, target.joint(name)] = sequence.pose[used, source.joint(name)] @ turn.T
    head = rotation_from_axis_angle(sequence.pose[used, 0]) @ turn.T  # target's head frame to the facing frame
    place = sequence.translation[used].astype(np.float64) - (FACING @ head @ shift)
    if "neck" in source.joint_names:
        bent = sequence.pose[used, source.joint("neck")].astype(np.float64) @ turn.T
        rotation = rotation_from_axis_angle(bent)
        pivot = turn @ _rest_joint(source, sequence.shape, "neck") + shift
        if "neck" in target.joint_names:
            pose[:, target.joint("neck")] = bent
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


def _chosen(target: Template) -> tuple[np.ndarray, np.ndarray]:
    """Vertices of the target's face, about `POINTS` at most, evenly chosen, and the area that each stands for."""
    areas = vertex_areas(target.v_template, target.faces)
    face = np.flatnonzero(face_mask(target) & (areas > 0))
    chosen = face[:: max(1, round(len(face) / POINTS))]
    return chosen, areas[chosen]


def _vertices(ids: np.ndarray) -> Embedding:
    corner = np.zeros((len(ids), 3), np.float32)
    corner[:, 0] = 1
    return Embedding(np.repeat(ids[:, None], 3, 1), corner)


def _at(places: Embedding, directions: np.ndarray) -> np.ndarray:
    """(K, 3, C) of directions (V, 3, C) at places."""
    return np.einsum("kcds,kc->kds", directions[places.triangles], places.barycentric)


def _ridge(directions: np.ndarray, goal: np.ndarray, weights: np.ndarray, here: np.ndarray) -> np.ndarray:
    """(S,) the step of coefficients, standard normal and now `here`, that brings points nearest to `goal` (K, 3)."""
    flat = directions.reshape(-1, directions.shape[2])
    weighted = flat * np.repeat(weights, 3)[:, None]
    return np.linalg.solve(flat.T @ weighted + np.eye(flat.shape[1]), weighted.T @ goal.ravel() - here)


def _rigid(points: np.ndarray, onto: np.ndarray, weights: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """(3, 3), (3,) the turn and shift that lay `points` (K, 3) upon `onto` (Kabsch 1976)."""
    share = np.full(len(points), 1 / len(points)) if weights is None else weights / weights.sum()
    here, there = share @ points, share @ onto
    u, _, vt = np.linalg.svd((onto - there).T @ (share[:, None] * (points - here)))
    turn = u @ np.diag([1, 1, np.sign(np.linalg.det(u @ vt))]) @ vt
    return turn, there - turn @ here
