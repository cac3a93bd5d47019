"""FLAME's parameters as other tools hold them, and the face sequence they become: what is the same in all layouts.

FLAME turns the head about its root joint, a face sequence about the origin of the head frame. With the model's template
the one is computed from the other; without it the parameters are kept as they are, and the sequence says so.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from atlas.exchange.timing import Timing
from reconstruction.camera import FACING, rotation_from_axis_angle
from reconstruction.errors import InputError
from reconstruction.sequence import NOT_GIVEN, FaceSequence
from reconstruction.template import Template

N_SHAPE, N_EXPRESSION = 300, 100
JOINTS = ("global", "neck", "jaw", "left_eye", "right_eye")
NAME = "flame"
SIZE, FOCAL = 224, 1120.0  # pixels: the crop of DECA and EMOCA, and a lens so long that it hardly shows
AWAY = 1.0  # metres before the camera that a head is put to whose place is not told
ROOT_JOINT = "root joint"


@dataclass(frozen=True)
class FlameCodes:
    """Parameters of N frames of one person in FLAME's own terms.

    shape : (S,) float32, the first components; expression : (N, E) float32
    pose : (N, 5, 3) float32, axis-angle, radians, of `JOINTS`; the first about the root joint, axes as the head frame
    translation : (N, 3) float32, metres, axes as the head frame, the camera at the origin, looking along -z; or None
    timing : which frames of the recording they are, and when
    notes : what the layout has that a face sequence does not
    """

    shape: np.ndarray
    expression: np.ndarray
    pose: np.ndarray
    translation: np.ndarray | None
    timing: Timing
    notes: tuple[str, ...] = ()
    about: dict[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.expression)


def to_sequence(codes: FlameCodes, source: str, template: Template | None = None) -> FaceSequence:
    """The face sequence of FLAME's parameters; what no layout knows is as unsure as can be: standard errors of 1.

    source : the layout they come from
    template : the model they belong to; without it the sequence names no template that could be loaded

    Raises
    ------
    InputError
        `template` is no whole FLAME.
    """
    timing, total = codes.timing, codes.timing.total
    expression_names = tuple(f"expression{i:03d}" for i in range(codes.expression.shape[1]))
    name, sha256 = NAME, NOT_GIVEN
    joints: tuple[str, ...] = JOINTS
    shape, expression = codes.shape, codes.expression
    if template is not None:
        check_flame(template)
        shape = _widened(shape, N_SHAPE)
        expression = _widened(expression, N_EXPRESSION)
        name, sha256 = template.name, template.sha256
        expression_names, joints = template.expression_names, template.joint_names
    about = {**codes.about, "from": source, "notes": list(codes.notes)}
    translation = codes.translation
    if translation is None:
        translation = np.tile([0.0, 0.0, -AWAY], (len(codes), 1))
        about["camera"] = "none in the source: a virtual one, the head standing one metre before it"
    elif template is None:
        about["rotation_about"] = ROOT_JOINT
    else:
        translation = translation + _root_offset(template, shape, codes.pose[:, 0])
    camera_matrix = np.array([[FOCAL, 0, SIZE / 2], [0, FOCAL, SIZE / 2], [0, 0, 1]], np.float32)

    def spread(values: np.ndarray) -> np.ndarray:
        out = np.zeros((total, *values.shape[1:]), np.float32)
        out[timing.frames] = values
        return out

    valid = np.isin(np.arange(total), timing.frames)
    return FaceSequence(
        template=name,
        template_sha256=sha256,
        expression_names=expression_names,
        joint_names=joints,
        shape=shape.astype(np.float32),
        shape_sd=np.ones(len(shape), np.float32),
        expression=spread(expression),
        expression_sd=np.ones(expression.shape[1], np.float32),
        pose=spread(codes.pose),
        translation=spread(translation @ FACING),
        camera_matrix=camera_matrix,
        image_size=(SIZE, SIZE),
        time_s=timing.time_s,
        valid=valid,
        quality=valid.astype(np.float32),
        reason=(~valid).astype(np.uint8),
        reason_names=("ok", f"not in the {source} files"),
        frame_rate=timing.frame_rate,
        simulated=timing.simulated,
        provenance={"converted": about},
    )


def from_sequence(sequence: FaceSequence, template: Template | None = None, placed: bool = True) -> FlameCodes:
    """FLAME's parameters of the valid frames of a sequence.

    template : the sequence's, needed where the head's place is wanted (`placed`) and the sequence was not converted
        without one

    Raises
    ------
    InputError
        The sequence is of no FLAME template, or the template is needed and not given, or another.
    """
    known = sequence.template_sha256 != NOT_GIVEN
    whole = len(sequence.shape) == N_SHAPE and sequence.expression.shape[1] == N_EXPRESSION
    if len(sequence.joint_names) != len(JOINTS) or not _flame_names(sequence.expression_names) or (known and not whole):
        raise InputError(
            f"expected parameters of a whole FLAME model ({N_SHAPE} shape components, {N_EXPRESSION} expressions), but "
            f"they are of {sequence.template}; transfer them: face-atlas convert --onto FLAME.template.safetensors."
        )
    if not sequence.valid.any():
        raise InputError("expected a frame with a trustworthy face, but there is none; use a better recording.")
    used = sequence.valid
    about = sequence.provenance.get("converted")
    about = about if isinstance(about, dict) else {}
    translation = None
    if placed:
        translation = sequence.translation[used] @ FACING
        if about.get("rotation_about") != ROOT_JOINT and "camera" not in about:
            if template is None:
                raise InputError(
                    f"expected the template {sequence.template} for a layout that tells where the head is, but it was "
                    "not given; name its file with --template."
                )
            sequence.check_template(template)
            translation = translation - _root_offset(template, sequence.shape, sequence.pose[used, 0])
        translation = translation.astype(np.float32)
    return FlameCodes(
        shape=sequence.shape,
        expression=sequence.expression[used],
        pose=sequence.pose[used],
        translation=translation,
        timing=Timing.of(sequence),
    )


def check_flame(template: Template) -> None:
    """Raise InputError unless `template` is a FLAME model with all its components."""
    sizes = (template.n_shape, template.n_expression, template.n_joints)
    if sizes != (N_SHAPE, N_EXPRESSION, len(JOINTS)) or not _flame_names(template.expression_names):
        raise InputError(
            f"expected a FLAME template with all {N_SHAPE} shape components and {N_EXPRESSION} expressions, but "
            f"{template.name} has {sizes[0]} and {sizes[1]}; import FLAME without --shape and --expression."
        )


def cut(values: np.ndarray, width: int, what: str, notes: list[str]) -> np.ndarray:
    """`values` (..., K) with `width` components: zeros added, or the last ones left out, which `notes` says."""
    lost = values[..., width:]
    if np.any(lost):
        share = float(np.square(lost, dtype=float).sum() / np.square(values, dtype=float).sum())
        notes.append(f"{what} {width} to {values.shape[-1] - 1}, {100 * share:.1f} % of the squared length, left out")
    return _widened(values[..., :width], width)


def _flame_names(names: tuple[str, ...]) -> bool:
    return names == tuple(f"expression{i:03d}" for i in range(len(names)))


def _root_offset(template: Template, shape: np.ndarray, turn: np.ndarray) -> np.ndarray:
    """(N, 3) metres: how far turning about the root joint instead of the origin moves the head, J - R J."""
    joint = template.joint_regressor[0] @ (template.v_template + template.shapedirs @ shape)
    return joint - rotation_from_axis_angle(turn) @ joint


def _widened(values: np.ndarray, width: int) -> np.ndarray:
    return np.pad(values, [(0, 0)] * (values.ndim - 1) + [(0, width - values.shape[-1])])
