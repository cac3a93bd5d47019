"""Aggregated faces: a recording, then a person, in a few hundred numbers of fixed length.

Everything downstream (standard faces, overlays, biomarkers, statistics, encoder, matcher) starts here and never sees a
frame again. One recording is held at a time.

Frame weight: w_t = q_t * (a0 + a_t). q_t is the frame's quality (0..1), a_t its activation: the root mean squared
displacement over the face, in mm, between the frame's motion and the recording's median motion; a0 = 0.5 mm, so that a
still frame counts as much as half a millimetre of movement. Frames that are not valid weigh nothing. Weights are
normalised within the recording: recordings count equally within a stimulus, stimuli within a person, people within a
group.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from atlas.biomarkers import ACTION_UNITS, MEASURES, action_units, mean_action_units, measures
from atlas.capture import Capture, capture_of
from atlas.motion import MotionSpace
from reconstruction.errors import InputError
from reconstruction.sequence import FaceSequence
from reconstruction.template import Template

STILL_MM = 0.5  # a0
LEVEL_FRAMES = 150  # the median motion is that of about so many valid frames, evenly spread: enough, and soon found
LEAST_QUALITY = 1e-3  # of a valid frame in a covariance, so that a recording without qualities has one
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
    left_out : {reason: frames} that are not valid
    biomarkers : (Q,) float64, as the function that `summarise` was given tells; NaN where unknown, empty without one
    capture : how the recording was taken, None where nobody knows
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
    left_out: Mapping[str, int] = field(default_factory=dict)
    biomarkers: np.ndarray = field(default_factory=lambda: np.zeros(0))
    capture: Capture | None = None

    @property
    def frame_rate(self) -> float:
        """Per second; zero where it is not known."""
        return self.capture.frame_rate if self.capture else 0.0


@dataclass(frozen=True)
class AggregatedFace:
    """One person: the recordings' summaries, and means over stimuli (equal weight each).

    age : years, None where unknown; sex : `F`, `M` or another word, None where unknown
    extra : the other columns of participants.tsv as text: site, medication, scores
    """

    id: str
    group: str
    recordings: tuple[RecordingSummary, ...]
    age: float | None = None
    sex: str | None = None
    extra: Mapping[str, str] = field(default_factory=dict)

    @property
    def simulated(self) -> bool:
        """Whether the person does not exist: every recording says so."""
        return all(r.simulated for r in self.recordings)

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

    def shares(self, stimulus: str | None = None) -> list[tuple[RecordingSummary, float]]:
        """The recordings before a stimulus, or all, and what each counts of 1: stimuli alike, and recordings of one."""
        wanted = self.stimuli if stimulus is None else (stimulus,)
        number = Counter(r.stimulus for r in self.recordings)
        return [(r, 1 / (len(wanted) * number[r.stimulus])) for r in self.recordings if r.stimulus in wanted]

    def motion(self, stimulus: str | None = None) -> np.ndarray:
        """(M,) mean motion of one stimulus, or of all, equally weighted."""
        return np.sum([share * r.mean for r, share in self.shares(stimulus)], axis=0)

    def covariance(self, stimulus: str | None = None) -> np.ndarray:
        """(M, M) covariance of motion within recordings; differences between stimuli are not in it."""
        return np.sum([share * r.covariance for r, share in self.shares(stimulus)], axis=0)


def frame_weights(sequence: FaceSequence, space: MotionSpace, motion: np.ndarray | None = None) -> np.ndarray:
    """(T,) float64 weights that sum to 1: quality times softened activation, see the module's head.

    motion : `MotionSpace.vectors` of the sequence, where they are at hand
    """
    motion = space.vectors(sequence) if motion is None else motion
    return _weights(sequence, space, motion - _level(sequence, motion))


def frame_moments(sequence: FaceSequence, space: MotionSpace, motion: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(M,) mean motion weighted by quality and activation, and (M, M) covariance weighted by quality alone.

    Activation would weigh the covariance twice: what moves far is in it by its square already.
    """
    level = _level(sequence, motion)
    from_level = motion - level
    mean = level + _weights(sequence, space, from_level).astype(motion.dtype) @ from_level
    quality = np.maximum(sequence.quality, LEAST_QUALITY) * sequence.valid
    quality /= quality.sum()
    between = quality @ from_level
    from_level *= np.sqrt(quality)[:, None]
    covariance = from_level.T @ from_level
    # the median is no further from the mean than the spread: nothing is lost to a difference of large numbers
    covariance -= np.multiply.outer(between, between)
    return mean.astype(np.float64), covariance.astype(np.float64)


def _level(sequence: FaceSequence, motion: np.ndarray) -> np.ndarray:
    """(M,) the recording's median motion; two middle ones count half each."""
    seen = motion if sequence.valid.all() else motion[sequence.valid]
    some = np.ascontiguousarray(seen[:: max(1, len(seen) // LEVEL_FRAMES)].T)
    low, high = (some.shape[1] - 1) // 2, some.shape[1] // 2
    some.partition((low, high))
    return (some[:, low] + some[:, high]) / 2


def _weights(sequence: FaceSequence, space: MotionSpace, from_level: np.ndarray) -> np.ndarray:
    """(T,) `frame_weights`, of what motion differs by from the recording's level, (T, M)."""
    amount = (STILL_MM + space.displacement_mm(from_level).astype(np.float64)) * sequence.valid
    weights = sequence.quality * amount
    total = weights.sum()
    if total <= 0:  # no quality given: every valid frame alike
        weights, total = amount, amount.sum()
    return weights / total


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
    sequence: FaceSequence,
    stimulus: str | None,
    space: MotionSpace,
    units: Sequence[str],
    biomarkers: Callable[[FaceSequence], np.ndarray] | None = None,
) -> RecordingSummary:
    """One recording's summary.

    biomarkers : gives a recording's (Q,) biomarkers

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
    level, covariance = frame_moments(sequence, space, motion)
    intensities = action_units(sequence)
    found, moved = mean_action_units(sequence, intensities), measures(sequence, intensities)
    features = np.concatenate(
        [
            level,
            np.log(np.sqrt(np.diag(covariance)) + LOG_OFFSET),
            np.log(_speeds(sequence, motion) + LOG_OFFSET),
            [found.get(code, np.nan) for code in units],
            [moved[name] for name in MEASURES],
        ]
    )
    return RecordingSummary(
        stimulus=stimulus or UNKNOWN,
        frames=len(sequence),
        frames_used=used,
        shape=sequence.shape.astype(np.float64),
        mean=level,
        covariance=covariance,
        features=features,
        digest=digest_of(sequence),
        simulated=sequence.simulated,
        stage=sequence.stage,
        left_out=left_out(sequence),
        biomarkers=np.zeros(0) if biomarkers is None else np.asarray(biomarkers(sequence), np.float64),
        capture=capture_of(sequence),
    )


def digest_of(sequence: FaceSequence) -> str:
    """16 hex digits of the parameters, by which a recording is recognised."""
    content = b"".join(
        np.ascontiguousarray(a, np.float32).tobytes() for a in (sequence.shape, sequence.expression, sequence.pose)
    )
    return hashlib.sha256(content).hexdigest()[:16]


def left_out(sequence: FaceSequence) -> dict[str, int]:
    """{reason: frames} that are not valid, in the order of the sequence's reasons."""
    counts = np.bincount(sequence.reason, minlength=len(sequence.reason_names))
    return {name: int(n) for name, n in zip(sequence.reason_names[1:], counts[1:], strict=False) if n}


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
