"""Standard faces: the weighted-average face of a group, shape and expression kept apart, with its spread over people.

A group's mean is the weighted mean of its people's means (`atlas.person_weights`); a person's mean is the mean over
stimuli; a stimulus's mean is weighted over frames by quality and activation (`atlas.aggregation`). So people do not
count by how long they were filmed.

The neutral shape, who they are, and the expression, what they do, are averaged apart and never mixed: `neutral` is the
mean shape without expression, `expressive` puts the mean expression on it. They are told apart by the reconstruction,
as far as it can tell a resting face that frowns a little from a low brow.

Adjusted for age, a face is the group's at the cohort's mean age A: with the people's means y_i and ages a_i, y_i =
m_group + b a_i + error by weighted least squares, b one slope for all groups, the face is m_group + b A, and spread and
intervals are those about the line. So age differences between groups are not taken for the groups'. People of unknown
age take no part in it.

Intervals are percentiles over resamples of people, drawn within each group; an adjusted face's slope is estimated anew
in every resample.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from atlas.aggregation import AggregatedFace
from atlas.averaging import Averaging
from atlas.moments import Moments
from atlas.motion import MotionSpace, rms_mm
from atlas.person_weights import person_weights
from atlas.resampling import LEVEL, NORMAL, group_means, slope
from reconstruction.errors import InputError
from reconstruction.face_model import FaceModel
from reconstruction.template import Template


@dataclass(frozen=True)
class StandardFace:
    """The mean face of a group, over all stimuli or before one.

    stimulus : its name, or None for all, equally weighted
    people : how many the mean rests on; `people_without` is how many of the group have no recording of the stimulus, or
        no age where the face is adjusted for it
    frames, frames_left_out : used, and left out for want of a trustworthy face
    shape, shape_sd : (S,) mean and standard deviation over people, in the template's standard deviations
    motion, motion_sd : (M,) mean and standard deviation over people: expression, then axis-angle of jaw and eyes
    shape_spread_mm, motion_spread_mm : (V,) float32, root mean squared distance of a person's mean from the group's,
        over people, from identity and from expression
    effective_people : as many people of equal weight would give as sure a mean (Kish 1965)
    shape_low, shape_high, motion_low, motion_high : `LEVEL` interval of the means, bootstrap over people
    shape_margin_mm, motion_margin_mm : (V,) float32, half-width of the same for a vertex's mean place: `NORMAL` times
        the root mean squared distance of a resample's mean; exact where a vertex is unsure along one line only, wider
        than needed elsewhere
    frame_spread_mm : (V,) float32, root mean squared distance of single moments from the group's mean expression, all
        that its people's faces do
    sex, age : of a face of one sex, and the age a face is adjusted to; None otherwise

    With one person spreads and intervals are zero and say nothing; look at `people`.
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
    effective_people: float
    shape_low: np.ndarray
    shape_high: np.ndarray
    motion_low: np.ndarray
    motion_high: np.ndarray
    shape_margin_mm: np.ndarray
    motion_margin_mm: np.ndarray
    frame_spread_mm: np.ndarray
    sex: str | None = None
    age: float | None = None

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


Faces = dict[str, dict[str | None, StandardFace]]


@dataclass(frozen=True)
class StandardFaces:
    """faces : {group: {stimulus: StandardFace}}; the stimulus None is over all
    by_sex : {sex: faces} where `Averaging.by` asks for them, else empty
    warnings : faces left out, weights cut; they name nobody
    """

    faces: Faces
    by_sex: dict[str, Faces]
    warnings: tuple[str, ...]


def standard_faces(
    people: Sequence[AggregatedFace],
    template: Template,
    space: MotionSpace,
    averaging: Averaging | None = None,
    seed: int = 0,
) -> StandardFaces:
    """Every group's standard faces; deterministic in `seed`.

    A stimulus that too few people of a group were recorded before (`Averaging.least`) has no face, and none of a
    group's sexes has one where one of them is so few: the difference to the group's face would show these.

    Raises
    ------
    InputError
        Ages or sexes that the averaging needs are not known, or of too few people of a group.
    """
    averaging = averaging or Averaging()
    weighted = person_weights(people, averaging.weights)
    warnings = list(weighted.warnings)
    weights = {person.id: weight for person, weight in zip(people, weighted.values, strict=True)}
    age = averaging.mean_age(people, warnings)
    maker = _Maker(template, space, averaging, weights, age, seed, warnings)
    faces = maker.faces(people)
    lacking = [group for group, of_group in faces.items() if None not in of_group]
    if lacking:
        raise InputError(
            f"expected at least {averaging.least} people of known age in every group to adjust for it, but "
            f"{', '.join(lacking)} has fewer; complete the column age of participants.tsv or leave --adjust out."
        )
    by_sex = {sex: maker.faces(of_sex, sex) for sex, of_sex in averaging.by_sex(people, warnings).items()}
    return StandardFaces(faces, by_sex, tuple(warnings))


def _row(person: AggregatedFace, stimulus: str | None) -> np.ndarray:
    """(S + M,) shape, then motion."""
    return np.concatenate([person.shape, person.motion(stimulus)])


@dataclass(frozen=True)
class _Maker:
    """Makes standard faces of people, whose weights it knows by id; `age` is the one to adjust to."""

    template: Template
    space: MotionSpace
    averaging: Averaging
    weights: Mapping[str, float]
    age: float | None
    seed: int
    warnings: list[str]

    def faces(self, people: Sequence[AggregatedFace], sex: str | None = None) -> Faces:
        """Of every group among `people`, who are all of `sex` where it is given."""
        out: Faces = {group: {} for group in sorted({person.group for person in people})}
        for number, stimulus in enumerate((None, *sorted({s for person in people for s in person.stimuli}))):
            groups = {group: self._usable(people, group, stimulus) for group in out}
            groups = {group: members for group, members in groups.items() if members}
            rows = {g: np.stack([_row(person, stimulus) for person in of]) for g, of in groups.items()}
            weights = {g: np.array([self.weights[p.id] for p in of]) for g, of in groups.items()}
            ages, shifts = None, {g: np.zeros_like(r) for g, r in rows.items()}
            if self.age is not None and groups:
                ages = {g: np.array([p.age for p in of], float) for g, of in groups.items()}
                steep = slope(rows, weights, ages)
                shifts = {g: (self.age - ages[g])[:, None] * steep for g in groups}
            resampled = group_means(rows, weights, ages, self.age or 0.0, (self.seed, number))
            for group, members in groups.items():
                whole = sum(person.group == group for person in people)
                out[group][stimulus] = self._face(
                    members, stimulus, sex, whole, rows[group], shifts[group], weights[group], resampled[group]
                )
        return out

    def _usable(self, people: Sequence[AggregatedFace], group: str, stimulus: str | None) -> list[AggregatedFace]:
        """Members of the group who were recorded before the stimulus and whose age is known if it must be; nobody where
        they are too few.
        """
        members = [
            person
            for person in people
            if person.group == group
            and (stimulus is None or stimulus in person.stimuli)
            and (self.age is None or person.age is not None)
        ]
        if self.averaging.enough(members):
            return members
        where = "over all stimuli" if stimulus is None else f"before {stimulus}"
        self.warnings.append(f"{group} has no face {where}: fewer than {self.averaging.least} people can be used")
        return []

    def _face(
        self,
        members: Sequence[AggregatedFace],
        stimulus: str | None,
        sex: str | None,
        whole: int,
        rows: np.ndarray,
        shifts: np.ndarray,
        weights: np.ndarray,
        resampled: np.ndarray,
    ) -> StandardFace:
        """rows, shifts : (N, S + M) shapes and motions of the members, and what adjusts them; resampled : (R, S + M)
        means
        """
        size = self.template.n_shape
        shape, motion = slice(0, size), slice(size, None)
        people = Moments.of(rows + shifts, weights)
        frames = Moments.none(self.space.size)
        for person, weight, shift in zip(members, weights, shifts[:, motion], strict=True):
            for r, share in person.shares(stimulus):
                part = weight * share
                frames += Moments(part, part**2, r.mean + shift, part * r.covariance)
        low, high = np.quantile(resampled, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
        covariance, unsure = people.covariance, Moments.of(resampled).spread
        recordings = [r for person in members for r, _ in person.shares(stimulus)]
        return StandardFace(
            group=members[0].group,
            stimulus=stimulus,
            people=len(members),
            people_without=whole - len(members),
            frames=sum(r.frames_used for r in recordings),
            frames_left_out=sum(r.frames - r.frames_used for r in recordings),
            shape=people.mean[shape],
            shape_sd=people.sd[shape],
            motion=people.mean[motion],
            motion_sd=people.sd[motion],
            shape_spread_mm=rms_mm(self.template.shapedirs, covariance[shape, shape]),
            motion_spread_mm=self.space.rms_mm(covariance[motion, motion]),
            effective_people=people.effective,
            shape_low=low[shape],
            shape_high=high[shape],
            motion_low=low[motion],
            motion_high=high[motion],
            shape_margin_mm=NORMAL * rms_mm(self.template.shapedirs, unsure[shape, shape]),
            motion_margin_mm=NORMAL * self.space.rms_mm(unsure[motion, motion]),
            frame_spread_mm=self.space.rms_mm(frames.spread),
            sex=sex,
            age=self.age,
        )
