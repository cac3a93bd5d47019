"""A simulated recording: one person before one stimulus, as face parameters.

Every action unit's course over time is ``1 - exp(-k u(t))``: u holds a low tonic level, brief movements of its own, and
the stimulus's events with onset, apex and offset; k is solved so that the mean over the recording is the person's
level. So the level is what is planted and measured, and the events are what is seen.
"""

import zlib
from functools import lru_cache

import numpy as np

from atlas.biomarkers.action_units import ACTION_UNITS, JAW_WIDE, sided
from atlas.simulation.effects import UNITS
from atlas.simulation.people import SPREAD, Person
from reconstruction.camera import FACING
from reconstruction.errors import InputError
from reconstruction.sequence import FaceSequence
from reconstruction.template import DEFAULT, Template, load_template

# coefficient at the apex, by stimulus; the sets are those used for soft emotion intensity in facial biomarker work
# (happiness 6, 12; sadness 1, 4, 15; fear 1, 2, 4, 5, 7, 20, 26; anger 4, 5, 7, 23), AU23 shown as AU24
PROTOTYPES: dict[str, dict[str, float]] = {
    "happiness": {"AU06": 0.6, "AU12": 0.75, "AU11": 0.1, "AU26": 0.1},
    "anger": {"AU04": 0.8, "AU05": 0.3, "AU07": 0.5, "AU09": 0.15, "AU24": 0.6},
    "sadness": {"AU01": 0.6, "AU04": 0.35, "AU15": 0.65, "AU17": 0.3},
    "fear": {"AU01": 0.6, "AU02": 0.5, "AU04": 0.3, "AU05": 0.7, "AU07": 0.1, "AU20": 0.5, "AU26": 0.4},
    "neutral": {},
}
STIMULI = tuple(PROTOTYPES)
DUTY = 0.4  # share of a recording that the stimulus's events fill
BACKGROUND = 0.03  # mean coefficient of every unit without a stimulus
PARTING = ("AU10", "AU11", "AU16", "AU22", "AU26")  # units that part the lips: at rest they are nearly closed
BACKGROUND_PARTING = 0.01
OCCASION = 0.2  # how far a person's level varies from one recording to the next, in person-level standard deviations
TYPICAL = {  # of the movement measures, units as in atlas.biomarkers.measures
    "blink_rate": 16.0,
    "blink_duration": 0.15,
    "head_speed": 0.08,
    "gaze_dispersion": 0.09,
}
BLINKS = ("blink_rate", "blink_duration")  # those that do not vary from one recording to the next
_UNDER_LID = ("AU05",)  # what a closing lid hides
IMAGE_SIZE = 512


def simulate_recording(
    person: Person,
    stimulus: str,
    seconds: float = 20.0,
    fps: float = 25.0,
    seed: int = 0,
    template: Template | str = DEFAULT,
) -> FaceSequence:
    """The face parameters of `person` before `stimulus`; every frame valid, ``simulated`` set.

    stimulus : one of `STIMULI`
    seed : of this recording; the person's own seed is in `person`

    Raises
    ------
    InputError
        The stimulus is unknown, the length or the frame rate out of range, or the person is of another template.
    """
    check_recording(stimulus, seconds, fps, seed)
    head = _template(template) if isinstance(template, str) else template
    if len(person.shape) != head.n_shape:
        raise InputError(
            f"expected a person of {head.n_shape} shape components for {head.name}, got {len(person.shape)}; "
            "simulate the people with the same template."
        )
    # one stream of random numbers for each part, so that more blinks do not change how the head moves
    streams = np.random.SeedSequence([*person.day, zlib.crc32(stimulus.encode()), seed]).spawn(5)
    blinking, moving, turning, looking, sitting = (np.random.default_rng(stream) for stream in streams)
    time = np.arange(max(2, round(seconds * fps))) / fps
    closure = _blinks(time, fps, person, blinking)
    units = _unit_courses(time, stimulus, closure, person, moving)

    expression = np.zeros((len(time), head.n_expression), np.float32)
    for unit, course in zip(UNITS, units.T, strict=True):
        for name in ACTION_UNITS[unit].expressions:
            for column in sided(name, head.expression_names):
                sign = {"Left": 1, "Right": -1}.get(head.expression_names[column].removeprefix(name), 0)
                expression[:, column] = np.clip(course * (1 + sign * person.asymmetry[unit] / 2), 0, 1)
    expression[:, sided("eyeBlink", head.expression_names)] = closure[:, None]

    pose = np.zeros((len(time), head.n_joints, 3), np.float32)
    pose[:, 0] = _head(time, stimulus, person, turning)
    pose[:, head.joint("jaw"), 0] = JAW_WIDE * units[:, UNITS.index("AU26")]
    gaze = _gaze(time, person, looking)
    for eye in ("left_eye", "right_eye"):
        pose[:, head.joint(eye), :2] = gaze
    camera_matrix, translation = _camera(time, head, person, sitting)
    return FaceSequence(
        template=head.name,
        template_sha256=head.sha256,
        expression_names=head.expression_names,
        joint_names=head.joint_names,
        shape=person.shape,
        shape_sd=np.zeros(head.n_shape, np.float32),
        expression=expression,
        expression_sd=np.zeros(head.n_expression, np.float32),
        pose=pose,
        translation=translation,
        camera_matrix=camera_matrix,
        image_size=(IMAGE_SIZE, IMAGE_SIZE),
        time_s=time,
        valid=np.ones(len(time), bool),
        quality=np.ones(len(time), np.float32),
        reason=np.zeros(len(time), np.uint8),
        reason_names=("ok",),
        frame_rate=float(fps),
        simulated=True,
        provenance={"method": "simulated", "stimulus": stimulus, "seed": int(seed)},
    )


def check_recording(stimulus: str, seconds: float, fps: float, seed: int) -> None:
    """Raise InputError unless a recording can be simulated with these arguments."""
    if stimulus not in PROTOTYPES:
        raise InputError(f"expected a stimulus of {', '.join(STIMULI)}, got {stimulus!r}; choose one of them.")
    if not 2 <= seconds <= 3600:
        raise InputError(f"expected between 2 and 3600 seconds a recording, got {seconds:g}; choose another length.")
    if not 5 <= fps <= 240:
        raise InputError(f"expected between 5 and 240 frames a second, got {fps:g}; choose another frame rate.")
    if seed < 0:
        raise InputError(f"expected a seed of 0 or more, got {seed}; choose another.")


def unit_levels(stimulus: str) -> np.ndarray:
    """(U,) typical mean coefficient of every unit in `UNITS` over a recording before a stimulus."""
    apex = np.array([PROTOTYPES[stimulus].get(unit, 0.0) for unit in UNITS])
    return np.where(np.isin(UNITS, PARTING), BACKGROUND_PARTING, BACKGROUND) + DUTY * apex


@lru_cache(maxsize=4)
def _template(name: str) -> Template:
    return load_template(name)


def _level(typical: float, z: float, smallest: float = 0.02) -> float:
    """A quantity's level in this recording; people whom an effect would push below zero stay just above it."""
    return typical * max(smallest, 1 + SPREAD * z)


def _smoothstep(x: np.ndarray) -> np.ndarray:
    x = np.clip(x, 0, 1)
    return x * x * (3 - 2 * x)


def _scatter(n: int, seconds: float, rng: np.random.Generator, size: int | tuple[int, ...] = ()) -> np.ndarray:
    """Times (n, *size) of n happenings, one in each n-th of the recording, so that they neither pile up nor tick."""
    shape = (n, *np.atleast_1d(size)) if size != () else (n,)
    cell = np.arange(n).reshape(-1, *[1] * (len(shape) - 1))
    return (cell + rng.uniform(0.15, 0.85, shape)) * seconds / n


def _blinks(time: np.ndarray, fps: float, person: Person, rng: np.random.Generator) -> np.ndarray:
    """Closure (T,) 0 open to 1 closed: a quick closing, a slower opening (Stern et al. 1984), at the person's rate."""
    seconds = len(time) / fps
    expected = _level(TYPICAL["blink_rate"], person.levels["blink_rate"]) / 60 * seconds
    count = int(expected + rng.uniform())  # rounded by chance, so that short recordings keep the rate on average
    half_closed = _level(TYPICAL["blink_duration"], person.levels["blink_duration"], 0.4)
    closing = 0.35 * half_closed
    opening = 0.75 * half_closed
    hold = half_closed - (closing + opening) / 2
    if not count:
        return np.zeros(len(time))
    # the middle of the hold falls on a frame, so that no frame rate misses a blink
    middle = np.round(_scatter(count, seconds, rng) * fps) / fps
    after = time[:, None] - middle
    return (_smoothstep((after + hold / 2) / closing + 1) * _smoothstep(1 - (after - hold / 2) / opening)).max(1)


def _unit_courses(
    time: np.ndarray, stimulus: str, closure: np.ndarray, person: Person, rng: np.random.Generator
) -> np.ndarray:
    """Coefficients (T, U) of every unit in `UNITS`."""
    seconds = time[-1] + time[1]
    n_units = len(UNITS)
    apex = np.array([PROTOTYPES[stimulus].get(unit, 0.0) for unit in UNITS])
    z = np.array([person.levels[unit] for unit in UNITS]) + OCCASION * rng.normal(size=n_units)
    wanted = np.array([_level(t, x) for t, x in zip(unit_levels(stimulus), z, strict=True)])

    # the stimulus's events: units start together, each with a little lag and strength of its own
    n_events = max(1, round(seconds / 6))
    length = DUTY * seconds / n_events * rng.uniform(0.8, 1.2, n_events)
    centre = (np.arange(n_events) + rng.uniform(0.35, 0.65, n_events)) * seconds / n_events
    lag = rng.normal(0, 0.05, (n_events, n_units))
    strength = np.clip(rng.normal(1, 0.15, (n_events, n_units)), 0.6, 1.4) * rng.uniform(0.75, 1.1, (n_events, 1))
    onset, offset = np.minimum(0.6, 0.3 * length), np.minimum(1.0, 0.4 * length)
    after = time[:, None, None] - (centre - length / 2)[:, None] - lag
    rise = _smoothstep(after / onset[:, None])
    fall = _smoothstep((length[:, None] - after) / offset[:, None])
    drive = apex * (rise * fall * strength).max(1)

    # each unit's own brief movements
    n_brief = max(1, round(seconds / 8))
    start = _scatter(n_brief, seconds, rng, n_units)
    width = rng.uniform(0.3, 0.8, (n_brief, n_units))
    height = rng.uniform(0.08, 0.25, (n_brief, n_units))
    drive = drive + (height * _smoothstep(1 - np.abs(time[:, None, None] - start) / width)).max(1) + 0.02

    gate = np.ones((len(time), n_units))
    gate[:, [UNITS.index(unit) for unit in _UNDER_LID]] = 1 - closure[:, None]
    return _saturate(drive, gate, wanted)


def _saturate(drive: np.ndarray, gate: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """``gate * (1 - exp(-k * drive))`` (T, U), k for each unit such that the mean is `wanted`; bisection of log k."""
    wanted = np.minimum(wanted, 0.9 * gate.mean(0))
    low, high = np.full(len(wanted), -8.0), np.full(len(wanted), 8.0)
    for _ in range(30):
        middle = (low + high) / 2
        short = (gate * -np.expm1(-np.exp(middle) * drive)).mean(0) < wanted
        low, high = np.where(short, middle, low), np.where(short, high, middle)
    return gate * -np.expm1(-np.exp((low + high) / 2) * drive)


def _head(time: np.ndarray, stimulus: str, person: Person, rng: np.random.Generator) -> np.ndarray:
    """(T, 3) axis-angle: the person's posture and slow movement at the person's speed."""
    own = np.random.default_rng([person.seed, 2])
    posture = own.normal(0, [0.05, 0.05, 0.03]) + rng.normal(0, 0.02, 3)
    posture[0] += {"sadness": 0.06, "fear": -0.03}.get(stimulus, 0.0)
    n_waves = 4
    frequency = rng.uniform(0.12, 0.6, (n_waves, 3))
    phase = rng.uniform(0, 2 * np.pi, (n_waves, 3))
    wave = np.sin(2 * np.pi * frequency * time[:, None, None] + phase) / frequency * [0.7, 1.0, 0.4]
    movement = wave.sum(1)
    speed = np.linalg.norm(np.diff(movement, axis=0), axis=1).mean() / time[1]
    wanted = _level(TYPICAL["head_speed"], person.levels["head_speed"] + OCCASION * rng.normal(), 0.1)
    return (posture + (movement - movement.mean(0)) * wanted / speed).astype(np.float32)


def _gaze(time: np.ndarray, person: Person, rng: np.random.Generator) -> np.ndarray:
    """(T, 2) radians about +x (down) and +y (left): fixations joined by saccades of 50 ms."""
    n = 2 + int(time[-1] / 0.5)
    starts = np.cumsum(0.25 + rng.gamma(2.0, 0.35, n))
    targets = rng.normal(0, [0.6, 1.0], (n + 1, 2))
    jump = _smoothstep((time[:, None] - starts) / 0.05)
    gaze = targets[0] + jump @ np.diff(targets, axis=0)
    gaze -= gaze.mean(0)
    wanted = _level(TYPICAL["gaze_dispersion"], person.levels["gaze_dispersion"] + OCCASION * rng.normal(), 0.1)
    gaze *= wanted / max(1e-6, np.sqrt((gaze**2).sum(1).mean()))
    return np.clip(gaze + np.array([0.03, 0.0]), -0.5, 0.5).astype(np.float32)


def _camera(
    time: np.ndarray, head: Template, person: Person, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """A webcam before the face: camera matrix (3, 3) pixels and translation (T, 3) metres with a little sway."""
    own = np.random.default_rng([*person.day, 3])  # set up anew every day
    distance = own.uniform(0.4, 0.5)
    focal = own.uniform(1.1, 1.5) * IMAGE_SIZE
    half = (IMAGE_SIZE - 1) / 2
    camera_matrix = np.array([[focal, 0, half], [0, focal, half], [0, 0, 1]], np.float32)
    face = head.landmarks68(head.v_template + head.shapedirs @ person.shape).mean(0)
    centre = np.array([0, 0, distance]) + own.normal(0, [0.008, 0.008, 0]) - FACING @ face
    sway = np.sin(2 * np.pi * rng.uniform(0.05, 0.3, 3) * time[:, None] + rng.uniform(0, 2 * np.pi, 3))
    return camera_matrix, (centre + sway * [0.004, 0.002, 0.006]).astype(np.float32)
