"""Group effects: what is planted in which group, from a readable YAML file ``group: {name: d}``."""

from collections.abc import Mapping
from importlib import resources
from pathlib import Path

import yaml
from pydantic import TypeAdapter, ValidationError

from atlas.biomarkers.action_units import ACTION_UNITS
from reconstruction.errors import InputError

REFERENCE_GROUP = "HC"
NONE: dict[str, dict[str, float]] = {"MDD": {}, "BD": {}}  # the default groups, nothing planted
LARGEST = 2.0  # beyond it many people would reach zero and the effect could not be planted as asked
# gaze and blinks are planted as measures; every other unit as itself
UNITS = tuple(code for code in ACTION_UNITS if code not in ("AU45", "AU61", "AU62", "AU63", "AU64"))
PLANTABLE_MEASURES = ("blink_rate", "blink_duration", "head_speed", "gaze_dispersion")
QUANTITIES = (*UNITS, *PLANTABLE_MEASURES)

Effects = Mapping[str, Mapping[str, float]]
_layout = TypeAdapter(dict[str, dict[str, float] | None])


def load_effects(source: Effects | str | Path | None = "default") -> dict[str, dict[str, float]]:
    """Effects by group, in the file's order, without the reference group HC.

    source : ``default`` (the demonstration file of this package), ``none`` or None (the default groups, nothing
        planted), a YAML file, or a mapping already. d is the group's mean minus that of HC, in standard deviations over
        people of the quantity's mean over a recording.

    Raises
    ------
    InputError
        The file is missing or no such mapping, a name is unknown, HC has an effect, or a d is beyond 2.
    """
    if source is None or source == "none":
        return {group: dict(effects) for group, effects in NONE.items()}
    if isinstance(source, Mapping):
        return _check(source, "the effects")
    if source == "default":
        text = resources.files("atlas.effects").joinpath("default.yaml").read_text("utf-8")
    elif not Path(source).is_file():
        raise InputError(
            f"expected a YAML file of effects, 'default' or 'none', but {source} is no file; check the path."
        )
    else:
        try:
            text = Path(source).read_text("utf-8")
        except (UnicodeDecodeError, OSError) as error:
            raise InputError(f"expected a YAML text file of effects, but {source} cannot be read ({error}).") from error
    try:
        return _check(yaml.safe_load(text), str(source))
    except yaml.YAMLError as error:
        reason = " ".join(str(error).split())
        raise InputError(
            f"expected effects as YAML, group: {{name: d}}, but {source} cannot be parsed ({reason}); correct it."
        ) from error


def _check(document: object, where: str) -> dict[str, dict[str, float]]:
    try:
        groups = _layout.validate_python(document)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the top level"
        raise InputError(
            f"expected effects as group: {{name: d}}, but {where} has at {place}: {first['msg']}; correct it."
        ) from error
    effects = {group: dict(planted or {}) for group, planted in groups.items()}
    if effects.pop(REFERENCE_GROUP, {}):
        raise InputError(
            f"expected no effects for {REFERENCE_GROUP}, which every d is a difference to, but {where} has some; "
            "remove them."
        )
    if not effects:
        raise InputError(f"expected at least one group beside {REFERENCE_GROUP} in {where}, but found none; add one.")
    for group, planted in effects.items():
        if not group.strip() or any(c in group for c in "/\\\t\n"):
            raise InputError(f"expected a group's name without slashes and tabs in {where}, got {group!r}; rename it.")
        for name, d in planted.items():
            if name not in QUANTITIES:
                raise InputError(
                    f"expected one of {', '.join(QUANTITIES)} in {where}, got {name!r} for {group}; "
                    "write action units with two digits."
                )
            if not abs(d) <= LARGEST:  # also refuses NaN
                raise InputError(
                    f"expected d between -{LARGEST:g} and {LARGEST:g} in {where}, got {d} for {group} {name}; "
                    "choose a smaller difference."
                )
    return effects
