"""Aggregated faces: a recording, then a person, in a few hundred numbers of fixed length.

Everything downstream (standard faces, overlays, encoder, matcher) starts here and never sees a frame again. One
recording is held at a time.

Frame weight: w_t = q_t * (a0 + a_t). q_t is the frame's quality (0..1), a_t its activation: the root mean squared
displacement over the face, in mm, between the frame's motion and the recording's median motion; a0 = 0.5 mm, so that a
still frame counts as much as half a millimetre of movement. Frames that are not valid weigh nothing. Weights are
normalised within the recording: recordings count equally within a stimulus, stimuli within a person, people within a
group.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from atlas.biomarkers import ACTION_UNITS, MEASURES, mean_action_units, measures
from atlas.cohort import Cohort, check_groups
from atlas.motion import MotionSpace
from reconstruction.errors import InputError
from reconstruction.sequence import FaceSequence, load
from reconstruction.template import Template

STILL_MM = 0.5  # a0
MIN_FRAMES = 10  # valid frames a recording needs to be used
FEW_FRAMES = 75  # below this a recording is used with a warning: 15 s at Emoface's 5 frames a second
LAG_S = 0.2  # speeds are taken over this lag, so that recordings of 5 to 60 frames a second compare
LOG_OFFSET = 0.01  # spreads and speeds enter as log(x + LOG_OFFSET): they are skewed
UNKNOWN = "unknown"


@dataclass(frozen=True)
class RecordingSummary:
    """One recording without its frames.

    stimulus : name, or ``unknown``
    frames, frames_used : in the file, and those that are valid
    shape : (S,) the identity, standard deviations
    mean : (M,) weighted mean motion
    covariance : (M, M) of motion about its mean, weighted by quality
    features : (F,) see `feature_names`; NaN where the recording cannot tell
    digest : of the parameters, 16 hex digits, so that a recording can be recognised
    stage : `FaceSequence.stage`, what the parameters come from
    """

    stimulus: str
    frames: int
    frames_used: int
    shape: np.ndarray
    mean: np.ndarray
    covariance: np.ndarray
    features: np.ndarray
    digest: str
    simulated: bool
    stage: str = "unknown"


@dataclass(frozen=True)
class AggregatedFace:
    """One person: the recordings' summaries, and means over stimuli (equal weight each)."""

    id: str
    group: str
    recordings: tuple[RecordingSummary, ...]

    @property
    def stimuli(self) -> tuple[str, ...]:
        return tuple(sorted({r.stimulus for r in self.recordings}))

    @property
    def frames(self) -> int:
        return sum(r.frames for r in self.recordings)

    @property
    def frames_used(self) -> int:
        return sum(r.frames_used for r in self.recordings)

    @property
    def shape(self) -> np.ndarray:
        """(S,) mean of the recordings' shapes, weighted by valid frames."""
        return np.average([r.shape for r in self.recordings], axis=0, weights=[r.frames_used for r in self.recordings])

    def _over_stimuli(self, name: str, stimulus: str | None) -> np.ndarray:
        wanted = self.stimuli if stimulus is None else (stimulus,)
        means = [np.mean([getattr(r, name) for r in self.recordings if r.stimulus == s], axis=0) for s in wanted]
        return np.mean(means, axis=0)

    def motion(self, stimulus: str | None = None) -> np.ndarray:
        """(M,) mean motion of one stimulus, or of all, equally weighted."""
        return self._over_stimuli("mean", stimulus)

    def covariance(self, stimulus: str | None = None) -> np.ndarray:
        """(M, M) covariance of motion within recordings; differences between stimuli are not in it."""
        return self._over_stimuli("covariance", stimulus)


def frame_weights(sequence: FaceSequence, space: MotionSpace) -> np.ndarray:
    """(T,) float64 weights that sum to 1: quality times softened activation, see the module's head."""
    motion = space.vectors(sequence)
    level = np.median(motion[sequence.valid], axis=0)
    activation = space.displacement_mm(motion - level)
    weights = np.where(sequence.valid, sequence.quality, 0) * (STILL_MM + activation)
    if weights.sum() <= 0:  # no quality given: every valid frame alike
        weights = np.where(sequence.valid, STILL_MM + activation, 0)
    return weights / weights.sum()


def feature_names(space: MotionSpace, sequence_units: Sequence[str]) -> tuple[str, ...]:
    """Names of a recording's features: level, spread and speed of every motion coefficient, action units, measures."""
    kinds = ("level", "spread", "speed")
    return (*(f"{kind} {name}" for kind in kinds for name in space.names), *sequence_units, *MEASURES)


def template_units(template: Template) -> tuple[str, ...]:
    """Codes of the action units a template can show, in `ACTION_UNITS`' order."""
    sides = ("", "Left", "Right")
    return tuple(
        code
        for code, unit in ACTION_UNITS.items()
        if any(name in template.joint_names for name in unit.joints)
        or any(f"{name}{side}" in template.expression_names for name in unit.expressions for side in sides)
    )


def summarise(
    sequence: FaceSequence, stimulus: str | None, space: MotionSpace, units: Sequence[str]
) -> RecordingSummary:
    """One recording's summary.

    Raises
    ------
    InputError
        Fewer than `MIN_FRAMES` frames are valid.
    """
    used = int(sequence.valid.sum())
    if used < MIN_FRAMES:
        raise InputError(
            f"expected at least {MIN_FRAMES} frames with a trustworthy face, but found {used} of {len(sequence)}; "
            "use a longer "
            "or better recording."
        )
    motion = space.vectors(sequence)
    weights = frame_weights(sequence, space)
    quality = np.where(sequence.valid, np.maximum(sequence.quality, 1e-3), 0).astype(np.float64)
    quality /= quality.sum()
    centred = motion - quality @ motion
    covariance = (centred * quality[:, None]).T @ centred
    level = weights @ motion
    found, moved = mean_action_units(sequence), measures(sequence)
    features = np.concatenate(
        [
            level,
            np.log(np.sqrt(np.diag(covariance)) + LOG_OFFSET),
            np.log(_speeds(sequence, motion) + LOG_OFFSET),
            [found.get(code, np.nan) for code in units],
            [moved[name] for name in MEASURES],
        ]
    )
    content = b"".join(
        np.ascontiguousarray(a, np.float32).tobytes() for a in (sequence.shape, sequence.expression, sequence.pose)
    )
    return RecordingSummary(
        stimulus=stimulus or UNKNOWN,
        frames=len(sequence),
        frames_used=used,
        shape=sequence.shape.astype(np.float64),
        mean=level,
        covariance=covariance,
        features=features,
        digest=hashlib.sha256(content).hexdigest()[:16],
        simulated=sequence.simulated,
        stage=sequence.stage,
    )


def _speeds(sequence: FaceSequence, motion: np.ndarray) -> np.ndarray:
    """(M,) mean absolute change per second over `LAG_S`; NaN where no stretch of that length is valid throughout."""
    lag = max(1, round(LAG_S * sequence.frame_rate))
    if len(sequence) <= lag:
        return np.full(motion.shape[1], np.nan)
    broken = np.concatenate([[0], np.cumsum(~sequence.valid)])
    elapsed = sequence.time_s[lag:] - sequence.time_s[:-lag]
    whole = broken[lag + 1 :] == broken[: -lag - 1]
    whole &= (elapsed > 0) & (elapsed < 1.5 * max(LAG_S, lag / sequence.frame_rate))
    if not whole.any():
        return np.full(motion.shape[1], np.nan)
    return (np.abs(motion[lag:] - motion[:-lag])[whole] / elapsed[whole, None]).mean(0)


def aggregate_cohort(
    cohort: Cohort,
    template: Template,
    space: MotionSpace,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[list[AggregatedFace], list[str], list[str]]:
    """Aggregated faces of a cohort whose recordings are all parameter files.

    Returns the people; notes on single recordings, which name them and are no part of an atlas; warnings on the whole.

    Raises
    ------
    InputError
        Parameters belong to another template, or a group is left with fewer than two people.
    """
    units = template_units(template)
    people: list[AggregatedFace] = []
    notes: list[str] = []
    for number, person in enumerate(cohort.people):
        summaries = []
        for recording in person.recordings:
            try:
                sequence = load(recording.path)
            except InputError as error:
                notes.append(f"{recording.path.name} was left out: {error}")
                continue
            sequence.check_template(template)
            try:
                summaries.append(summarise(sequence, recording.stimulus, space, units))
            except InputError as error:
                notes.append(f"{recording.path.name} was left out: {error}")
                continue
        if summaries:
            people.append(AggregatedFace(person.id, person.group, tuple(summaries)))
        else:
            notes.append(f"{person.id} has no usable recording and was left out")
        if progress:
            progress(number + 1, len(cohort.people))
    check_groups(people)
    few = [r.frames_used for person in people for r in person.recordings if r.frames_used < FEW_FRAMES]
    warnings = _uneven_stimuli(people)
    if few:
        warnings.append(f"{len(few)} recordings have fewer than {FEW_FRAMES} usable frames, the shortest {min(few)}")
    return people, notes, warnings


def _uneven_stimuli(people: Sequence[AggregatedFace]) -> list[str]:
    """Stimuli that some people lack: their means rest on fewer stimuli than the others'."""
    stimuli = sorted({s for person in people for s in person.stimuli})
    out = []
    for stimulus in stimuli:
        lacking: dict[str, int] = {}
        for person in people:
            if stimulus not in person.stimuli:
                lacking[person.group] = lacking.get(person.group, 0) + 1
        if lacking:
            counts = ", ".join(f"{n} of {group}" for group, n in sorted(lacking.items()))
            out.append(f"no recording of the stimulus {stimulus} from {counts}; their means rest on the others")
    return out
