"""The catalogue of biomarkers: every quantity with its unit, definition and source, in the order of the table."""

from collections.abc import Sequence

from atlas.biomarkers.action_units import ACTION_UNITS
from atlas.biomarkers.courses import PRESENT
from atlas.biomarkers.expressivity import EMOTIONS, EXPRESSIONS
from atlas.biomarkers.face_geometry import LONGEST_BLINK_S, PROMINENCE, SLOWEST_BLINK_RATE
from atlas.biomarkers.face_parts import PartSet
from atlas.biomarkers.measures import CLOSED, MEASURES, OPENED
from atlas.biomarkers.mirror import other_side
from atlas.biomarkers.quantity import Quantity
from atlas.biomarkers.tremor import BAND, LOWEST_RATE, WINDOW_S
from atlas.biomarkers.velocity import LAG_S

INTENSITY = "intensity 0 to 5"
_FACS = "FACS (Ekman and Friesen 1978); scale of OpenFace (Baltrušaitis et al. 2018)"
_OPENDBM = "OpenDBM's definition, derived anew"
_HERE = "defined here"
_MEAN = "mean over valid frames"
_MIRRORED_UNITS = {"AU61": "AU62", "AU62": "AU61"}
_OTHER_NAMES = {"AU23": "lip tightener", "AU25": "lips part"}  # of units that only other tools measure
_LAG = f"over {LAG_S:g} s"
_GAZE = f"mean angle per second between the eyes' directions, seen from the camera, {_LAG}"
_EAR = "eye aspect ratio, (|p1 p5| + |p2 p4|) / (2 |p0 p3|) of an eye's six points"
_BLINK = f"dips of the eyes' mean aspect ratio of prominence {PROMINENCE:g}, at most {LONGEST_BLINK_S:g} s long"
_SLOW = f"unknown below {SLOWEST_BLINK_RATE:g} frames a second"
_SOFT = f"intensities of the present units (at least {PRESENT:g}) summed, by 6 times their number, mean over frames"
_TREMOR = (
    f"root mean square amplitude of {BAND[0]:g} to {BAND[1]:g} Hz (Welch's spectrum, windows of {WINDOW_S:g} s); "
    f"speech lies in the same band; unknown below {LOWEST_RATE:g} frames a second"
)
_TREMOR_SOURCE = "tremor as in Bhatia et al. 2018; the band of parkinsonian tremor"
_MIRRORED = "mean distance of the left points, mirrored in the plane through points 30, 27 and 8, from the right ones"
_SOUKUPOVA = "Soukupová and Čech 2016"

# name: (unit, label, definition, source)
_MOVEMENT: dict[str, tuple[str, str, str, str]] = {
    "blink_rate": ("per minute", "blinks", f"eyelid coefficients above {CLOSED:g} until below {OPENED:g}", _HERE),
    "blink_duration": ("s", "blink duration", MEASURES["blink_duration"], _HERE),
    "ear_blink_rate": ("per minute", "blinks by eye aspect ratio", f"{_BLINK}; {_SLOW}", _OPENDBM),
    "ear_blink_duration": ("s", "their duration", f"{_BLINK}: width at half depth; {_SLOW}", _OPENDBM),
    "eye_opening": ("ratio", "eye opening", f"{_EAR}; both eyes", _SOUKUPOVA),
    "eye_opening_right": ("ratio", "eye opening, right", _EAR, _SOUKUPOVA),
    "eye_opening_left": ("ratio", "eye opening, left", _EAR, _SOUKUPOVA),
    "gaze_dispersion": ("rad", "gaze dispersion", MEASURES["gaze_dispersion"], _HERE),
    "gaze_speed": ("rad/s", "gaze displacement", _GAZE, _OPENDBM),
    "head_speed": ("rad/s", "head turning", f"{MEASURES['head_speed']}, from frame to frame", _OPENDBM),
    "head_velocity": ("mm/s", "head movement", f"mean speed of the head's origin before the camera, {_LAG}", _OPENDBM),
    "face_speed": ("mm/s", "facial movement", f"root mean square speed of its surface, {_LAG}; no head pose", _HERE),
    "expression_speed": ("intensity/s", "change of action units", MEASURES["expression_speed"], _HERE),
    "expressivity": (INTENSITY, "mean of the action units", MEASURES["expressivity"], _HERE),
    **{
        f"expressivity_{name}": ("0 to 5/6", f"{name}, soft intensity", f"{', '.join(codes)}: {_SOFT}", _OPENDBM)
        for name, codes in EXPRESSIONS.items()
    },
    "expressivity_overall": ("0 to 5/6", "overall expressivity", f"mean of {', '.join(EMOTIONS)}", _OPENDBM),
    "asymmetry_mouth": ("mm", "asymmetry of the mouth", _MIRRORED, _OPENDBM),
    "asymmetry_brow": ("mm", "asymmetry of the brows", _MIRRORED, _OPENDBM),
    "asymmetry_eye": ("mm", "asymmetry of the eyes", _MIRRORED, _OPENDBM),
    "tremor_head": ("mm", "tremor of the head", f"bridge of the nose, across the view: {_TREMOR}", _TREMOR_SOURCE),
    "tremor_jaw": ("mm", "tremor of the jaw", f"points 7 to 9, no head pose: {_TREMOR}", _TREMOR_SOURCE),
    "tremor_lips": ("mm", "tremor of the lips", f"points 48 to 67, no head pose: {_TREMOR}", _TREMOR_SOURCE),
}  # fmt: skip
MOVEMENT = tuple(_MOVEMENT)


def movement_quantities(names: Sequence[str] = MOVEMENT) -> tuple[Quantity, ...]:
    """Those of the movement measures that are named, in their order."""
    return tuple(
        Quantity(name, "measure", unit, label, definition, source, other_side(name), name, "measure")
        for name, (unit, label, definition, source) in _MOVEMENT.items()
        if name in names
    )


def unit_quantities(codes: Sequence[str], sided: Sequence[str] = ()) -> tuple[Quantity, ...]:
    """Mean intensity and presence of action units, and the difference between the sides of those in `sided`."""
    out = []
    for code in codes:
        mirror, name = _MIRRORED_UNITS.get(code, code), unit_name(code)
        out.append(Quantity(code, "unit", INTENSITY, name, _MEAN, _FACS, mirror, code, "unit_intensity"))
    for code in codes:
        mirror = f"{_MIRRORED_UNITS.get(code, code)}_presence"
        out.append(presence_quantity(code, mirror, f"share of valid frames of intensity {PRESENT:g} or more", _FACS))
    for code in sided:
        name, label = f"{code}_asymmetry", f"{unit_name(code)}, left against right"
        definition = "mean over valid frames of the absolute difference between both sides' intensity"
        out.append(Quantity(name, "unit", INTENSITY, label, definition, _HERE, name, code, "unit_asymmetry"))
    return tuple(out)


def presence_quantity(code: str, mirror: str, definition: str, source: str) -> Quantity:
    label = f"{unit_name(code)}, present"
    return Quantity(f"{code}_presence", "unit", "%", label, definition, source, mirror, code, "unit_presence")


def unit_name(code: str) -> str:
    """FACS's name of a unit, by code."""
    return ACTION_UNITS[code].name if code in ACTION_UNITS else _OTHER_NAMES.get(code, code)


def part_quantities(parts: PartSet, speed_unit: str = "mm/s") -> tuple[Quantity, ...]:
    """A set's shares, then its speeds; of the unit px/s the names say it."""
    pixels = "_px" if speed_unit == "px/s" else ""
    kinds = (
        ("share", "%", f"share of the set's mean square speed {_LAG}, {parts.definition}; the set sums to 100"),
        (f"speed{pixels}", speed_unit, f"root mean square speed {_LAG} of {parts.definition}; no head pose"),
    )
    return tuple(
        Quantity(
            name=f"{parts.name}_{place}_{kind}",
            level=parts.level,
            unit=unit,
            label=label,
            definition=definition,
            source=parts.source,
            mirror=f"{parts.name}_{mirror}_{kind}",
            place=place,
            family=f"{parts.name}_{kind}",
        )
        for kind, unit, definition in kinds
        for place, label, mirror in zip(parts.places, parts.labels, parts.mirrors, strict=True)
    )
