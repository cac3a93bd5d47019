"""Biomarkers of a recording, from its parameters alone: one number for every quantity of a template."""

from dataclasses import dataclass, replace

import numpy as np

from atlas.biomarkers.action_units import ACTION_UNITS, FULL, sided
from atlas.biomarkers.catalogue import MOVEMENT, movement_quantities, part_quantities, unit_quantities
from atlas.biomarkers.courses import LandmarkModel, landmark_model, parameter_courses
from atlas.biomarkers.face_parts import SUBJECT, PartSet, emoface16, keypoints, organs
from atlas.biomarkers.measures import measures
from atlas.biomarkers.mirror import even_directions
from atlas.biomarkers.motion_energy import landmark_directions, mean_square_speeds, part_forms, shares
from atlas.biomarkers.movement import movement
from atlas.biomarkers.muscles import muscles
from atlas.biomarkers.quantity import Quantity
from atlas.biomarkers.reliability import unit_weights
from atlas.biomarkers.velocity import lagged_steps
from atlas.motion import MotionSpace, motion_space, rms_mm
from reconstruction.errors import InputError
from reconstruction.sequence import FaceSequence
from reconstruction.template import Template

BEFORE_S = 1.0  # seconds before and after a stimulus's onset that reactivity needs at least


@dataclass(frozen=True)
class FaceParts:
    """A template made ready for its recordings' biomarkers, by `face_parts`.

    sets : organs, regions, muscle-like patches, key points
    forms : {set's name: (P, M, M) mm^2}, see `motion_energy`
    directions : (V, 3, M) float32, metres, alike on both sides
    face : (M, M) mm^2, the form of the whole face
    units : codes of the action units the template can show
    sided : {code: columns of its left and of its right expressions} of those that have two sides
    quantities : Q, in the order of every vector of biomarkers
    """

    template_sha256: str
    space: MotionSpace
    sets: tuple[PartSet, ...]
    forms: dict[str, np.ndarray]
    directions: np.ndarray
    face: np.ndarray
    landmarks: LandmarkModel
    units: tuple[str, ...]
    sided: dict[str, tuple[list[int], list[int]]]
    quantities: tuple[Quantity, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(quantity.name for quantity in self.quantities)

    def set(self, name: str) -> PartSet:
        """The set of that name: ``organ``, ``emoface16``, ``muscles`` or ``keypoint``."""
        return next(parts for parts in self.sets if parts.name == name)

    def vertex_speed(self, sequence: FaceSequence) -> np.ndarray:
        """(V,) float32 mm/s: root mean square speed of every vertex, head pose left out; NaN where none is known."""
        steps = lagged_steps(sequence.time_s, sequence.valid, sequence.frame_rate)
        return rms_mm(self.directions, steps.second_moment(self.space.vectors(sequence)))


def face_parts(
    template: Template, space: MotionSpace | None = None, *, sides: str = SUBJECT, organ_sums: bool = False
) -> FaceParts:
    """Make a template ready; takes a second, once.

    space : `motion_space` of the template, where it is made already
    sides, organ_sums : how organs are named and shared, see `face_parts.organs`
    """
    space = motion_space(template) if space is None else space
    sets = (organs(template, sides=sides, sums=organ_sums), emoface16(template), muscles(template), keypoints(template))
    units = tuple(unit_weights(template))
    sides_of = {code: _sides(code, template.expression_names) for code in units}
    two_sided = {code: columns for code, columns in sides_of.items() if all(columns)}
    names = set(MOVEMENT) - (set() if units else {"expressivity", "expression_speed"})
    known = movement_quantities(tuple(names))
    quantities = (
        *unit_quantities(units, tuple(two_sided)),
        *known,
        *(quantity for parts in sets for quantity in part_quantities(parts)),
    )
    even = even_directions(space.directions, template, space.names).astype(np.float32)
    return FaceParts(
        template_sha256=template.sha256,
        space=space,
        sets=sets,
        forms=part_forms(sets, template, space),
        directions=even,
        face=space.metric,
        landmarks=landmark_model(template, landmark_directions(template, space)),
        units=units,
        sided=two_sided,
        quantities=quantities,
    )


def quantities(template: Template) -> tuple[Quantity, ...]:
    """What `recording_biomarkers` measures with this template, in its order."""
    return face_parts(template).quantities


def recording_biomarkers(sequence: FaceSequence, parts: FaceParts) -> np.ndarray:
    """(Q,) float64 biomarkers of a recording, by `FaceParts.quantities`; NaN where the recording cannot tell.

    Raises
    ------
    InputError
        The sequence's expressions or joints are not those of the parts' template.
    """
    motion = parts.space.vectors(sequence)
    if motion.shape[1] != parts.space.size:
        raise InputError(
            f"expected parameters of {parts.space.size} motion coefficients, got {motion.shape[1]} of "
            f"{sequence.template}; prepare the biomarkers with the recording's own template."
        )
    courses = parameter_courses(sequence, motion, parts.landmarks)
    steps = lagged_steps(sequence.time_s, sequence.valid, sequence.frame_rate)
    moment = steps.second_moment(motion)
    found = measures(sequence, courses.units) | movement(courses)
    found["face_speed"] = float(np.sqrt(np.maximum(np.vdot(parts.face, moment), 0)))
    for code in parts.units:
        intensity = courses.units[code][sequence.valid]
        if len(intensity):
            found[code] = float(intensity.mean(dtype=np.float64))
            found[f"{code}_presence"] = float(100 * courses.present[code][sequence.valid].mean())
    for code, (on_left, on_right) in parts.sided.items() if sequence.valid.any() else ():
        left, right = (_side_intensity(sequence, columns) for columns in (on_left, on_right))
        found[f"{code}_asymmetry"] = float(np.abs(left - right).mean(dtype=np.float64))
    for name, energy in mean_square_speeds(parts.forms, moment).items():
        these = parts.set(name)
        found |= {
            f"{name}_{place}_share": x for place, x in zip(these.places, shares(energy, these.extent), strict=True)
        }
        found |= {f"{name}_{place}_speed": x for place, x in zip(these.places, np.sqrt(energy), strict=True)}
    return np.array([found.get(name, np.nan) for name in parts.names])


def reactivity(
    sequence: FaceSequence,
    onset_s: float,
    parts: FaceParts,
    *,
    before_s: float | None = None,
    after_s: float | None = None,
) -> np.ndarray:
    """(Q,) biomarkers after a stimulus's onset less those before it.

    before_s, after_s : seconds on either side that count; all there are, unless given

    Raises
    ------
    InputError
        Less than `BEFORE_S` of the recording lies before or after the onset.
    """
    time = sequence.time_s
    before = (time < onset_s) & (time >= onset_s - (np.inf if before_s is None else before_s))
    after = (time >= onset_s) & (time <= onset_s + (np.inf if after_s is None else after_s))
    if min(before.sum(), after.sum()) < BEFORE_S * sequence.frame_rate:
        raise InputError(
            f"expected an onset with at least {BEFORE_S:g} s of recording before and after it, got {onset_s:g} s in "
            f"{time[-1] if len(time) else 0:.1f} s; check the time."
        )
    one, other = (recording_biomarkers(window(sequence, frames), parts) for frames in (before, after))
    return other - one


def window(sequence: FaceSequence, frames: np.ndarray) -> FaceSequence:
    """The frames (T,) bool of a sequence."""
    series = ("expression", "pose", "translation", "time_s", "valid", "quality", "reason")
    return replace(sequence, **{name: getattr(sequence, name)[frames] for name in series})


def _sides(code: str, names: tuple[str, ...]) -> tuple[list[int], list[int]]:
    """Columns of a unit's left and of its right expressions."""
    columns = [i for name in ACTION_UNITS[code].expressions for i in sided(name, names)]
    left = [i for i in columns if names[i].endswith("Left")]
    right = [i for i in columns if names[i].endswith("Right")]
    return left, right


def _side_intensity(sequence: FaceSequence, columns: list[int]) -> np.ndarray:
    """(N,) intensity, 0 to 5, of one side in the valid frames."""
    return FULL * np.clip(sequence.expression[sequence.valid][:, columns], 0, 1).mean(1)
