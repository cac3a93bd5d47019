"""Standard faces: the weighted-average face of a group, shape and expression kept apart, with its spread over people.

A group's mean is the mean of its people's means; a person's mean is the mean over stimuli; a stimulus's mean is
weighted over frames by quality and activation (`atlas.aggregation`). So people count equally, however long they were
filmed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from atlas.aggregation import AggregatedFace
from atlas.motion import MotionSpace, rms_mm
from reconstruction.face_model import FaceModel
from reconstruction.template import Template


@dataclass(frozen=True)
class StandardFace:
    """The mean face of a group, over all stimuli or before one.

    stimulus : its name, or None for all, equally weighted
    people : how many the mean rests on; `people_without` is how many of the group have no recording of the stimulus
    frames, frames_left_out : used, and left out for want of a trustworthy face
    shape, shape_sd : (S,) mean and standard deviation over people, in the template's standard deviations
    motion, motion_sd : (M,) mean and standard deviation over people: expression, then axis-angle of jaw and eyes
    shape_spread_mm, motion_spread_mm : (V,) float32, root mean squared distance of a person's mean from the group's,
        over people, from identity and from expression

    With one person the spread is zero and says nothing; look at `people`.
    """

    group: str
    stimulus: str | None
    people: int
    people_without: int
    frames: int
    frames_left_out: int
    shape: np.ndarray
    shape_sd: np.ndarray
    motion: np.ndarray
    motion_sd: np.ndarray
    shape_spread_mm: np.ndarray
    motion_spread_mm: np.ndarray

    def neutral(self, template: Template) -> np.ndarray:
        """(V, 3) float32, metres, head frame: the mean identity without expression."""
        return (template.v_template + template.shapedirs @ self.shape.astype(np.float32)).astype(np.float32)

    def expressive(
        self, template: Template, space: MotionSpace, *, exaggeration: float = 1.0, shape: np.ndarray | None = None
    ) -> np.ndarray:
        """(V, 3) float32, metres, head frame: the mean expression.

        exaggeration : factor on the expression; say it wherever it is not 1
        shape : (S,) the identity that wears it; by default the group's mean
        """
        identity = self.shape if shape is None else shape
        expression, pose = space.split(exaggeration * self.motion, template)
        batch = (torch.from_numpy(np.asarray(a, np.float32))[None] for a in (identity, expression, pose))
        with torch.no_grad():
            return FaceModel(template)(*batch)[0].numpy()

    def named_motion(self, space: MotionSpace) -> dict[str, float]:
        """Mean motion by coefficient name."""
        return {name: float(value) for name, value in zip(space.names, self.motion, strict=True)}


def standard_face(
    people: Iterable[AggregatedFace],
    group: str,
    template: Template,
    space: MotionSpace,
    stimulus: str | None = None,
) -> StandardFace | None:
    """The standard face of `group`; None where nobody of the group was recorded before `stimulus`."""
    shapes, motions = [], []
    frames = left_out = without = 0
    for person in people:
        if person.group != group:
            continue
        if stimulus is not None and stimulus not in person.stimuli:
            without += 1
            continue
        recordings = [r for r in person.recordings if stimulus is None or r.stimulus == stimulus]
        shapes.append(person.shape)
        motions.append(person.motion(stimulus))
        frames += sum(r.frames_used for r in recordings)
        left_out += sum(r.frames - r.frames_used for r in recordings)
    if not shapes:
        return None
    shape, motion = np.stack(shapes), np.stack(motions)
    return StandardFace(
        group=group,
        stimulus=stimulus,
        people=len(shapes),
        people_without=without,
        frames=frames,
        frames_left_out=left_out,
        shape=shape.mean(0),
        shape_sd=_sd(shape),
        motion=motion.mean(0),
        motion_sd=_sd(motion),
        shape_spread_mm=rms_mm(template.shapedirs, _covariance(shape)),
        motion_spread_mm=space.rms_mm(_covariance(motion)),
    )


def standard_faces(
    people: Sequence[AggregatedFace], template: Template, space: MotionSpace
) -> dict[str, dict[str | None, StandardFace]]:
    """Every group's standard faces by group and stimulus; the key None is over all stimuli."""
    groups = sorted({person.group for person in people})
    stimuli = sorted({s for person in people for s in person.stimuli})
    out: dict[str, dict[str | None, StandardFace]] = {}
    for group in groups:
        made = {s: standard_face(people, group, template, space, s) for s in (None, *stimuli)}
        out[group] = {s: face for s, face in made.items() if face is not None}
    return out


def _sd(values: np.ndarray) -> np.ndarray:
    return values.std(0, ddof=1) if len(values) > 1 else np.zeros(values.shape[1])


def _covariance(values: np.ndarray) -> np.ndarray:
    size = values.shape[1]
    return np.cov(values, rowvar=False).reshape(size, size) if len(values) > 1 else np.zeros((size, size))
