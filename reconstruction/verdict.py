"""What a recording is worth as a whole, in words for people who do not read code."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

# Conventions of this project, no published limits. Nine tenths of the frames is what a sharp frontal webcam recording
# passes easily; below a third the frames left are seldom a fair sample of what the person did.
GOOD_SHARE, USABLE_SHARE = 0.9, 1 / 3
GOOD_SECONDS, USABLE_SECONDS = 5.0, 1.0  # of used frames: some blinks and an expression's rise and fall; one of these
GOOD_QUALITY = 0.5  # mean weight of used frames
WORTH_NAMING = 0.02  # share of frames from which a reason is named
WORDS = {  # reason of a frame: (what was seen, what to do about it)
    "no face": ("no face in the picture", "keep the person before the camera"),
    "other face": ("only other people in the picture", "film one person at a time, or choose with --face"),
    "low confidence": ("face hardly recognisable", "light the face evenly from the front"),
    "too small": ("face too small (low resolution)", "come nearer or film at a higher resolution"),
    "cut off": ("face partly outside the picture", "keep the whole face in the picture"),
    "extreme pose": ("head turned or tilted too far", "place the camera at eye level, in front"),
    "exposure": ("too dark or too bright", "light the face evenly from the front"),  # in files of earlier versions
    "too dark": ("too dark", "add light from the front"),
    "too bright": ("too bright", "dim the light or lower the camera's exposure"),
    "blurred": ("blurred", "focus on the face and hold the camera still"),
    "occluded": ("hand, mask or object before the face", "keep hands and objects away from the face"),
    "pose not solved": ("head's position not found", "place the camera at eye level, in front"),
}


@dataclass(frozen=True)
class RecordingVerdict:
    """verdict : 'good', 'usable' or 'not usable'

    used : share of frames used; seconds_used; mean_quality : mean weight of the used, 0 to 1
    reasons : why not good, worst first, in plain words with their share of the recording
    advice : what would help against each
    """

    verdict: str
    used: float
    seconds_used: float
    mean_quality: float
    reasons: tuple[str, ...]
    advice: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}


def assess(reason: np.ndarray, names: tuple[str, ...], quality: np.ndarray, frame_rate: float) -> RecordingVerdict:
    """The verdict on a recording of T frames: reason (T,) index into `names`, 0 for used; quality (T,) weights."""
    count = max(len(reason), 1)
    used = reason == 0
    share, seconds = float(used.sum() / count), float(used.sum() / frame_rate)
    mean = float(quality[used].mean()) if used.any() else 0.0
    left_out = np.bincount(reason, minlength=len(names))[1:] / count
    named = [i for i in np.argsort(-left_out, kind="stable") if left_out[i] >= WORTH_NAMING]
    reasons = [f"{WORDS.get(names[i + 1], (names[i + 1], ''))[0]} ({percent(left_out[i])})" for i in named]
    advice = [WORDS.get(names[i + 1], ("", ""))[1] for i in named]
    if seconds < GOOD_SECONDS:
        reasons.append(f"only {seconds:.1f} s to go by" if len(reason) > 1 else "a single picture")
        advice.append(f"film at least {GOOD_SECONDS:.0f} s")
    if used.any() and mean < GOOD_QUALITY:
        reasons.append(f"frames used are of low quality (weight {mean:.2f} of 1)")
        advice.append("more light, a nearer camera, the face towards it")
    if share >= GOOD_SHARE and seconds >= GOOD_SECONDS and mean >= GOOD_QUALITY:
        verdict = "good"
    elif share >= USABLE_SHARE and (seconds >= USABLE_SECONDS or len(reason) == 1):
        verdict = "usable"
    else:
        verdict = "not usable"
    return RecordingVerdict(verdict, round(share, 4), round(seconds, 2), round(mean, 3), tuple(reasons), tuple(advice))


def percent(share: float) -> str:
    """A share of 1 as readers like it."""
    return f"{100 * share:.0f} %" if share >= 0.005 else "under 1 %"
