"""A template's reliability on the terminal and as a figure."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    import numpy as np

    from atlas.figures.reliability import Row
    from reconstruction.calibration import Calibration
    from reconstruction.reliability import Reliability
    from reconstruction.template import Template


def print_reliability(template: "Template", calibration: "Calibration") -> None:
    """How well every motion parameter and action unit is recovered; of landmarks alone where no films were tried."""
    from atlas.biomarkers.action_units import ACTION_UNITS
    from atlas.biomarkers.reliability import coefficient_names, figures
    from atlas.cli.results import print_table

    measured = calibration.measured
    if measured is None:
        names = coefficient_names(template)
        typer.echo(
            "reliability of landmarks alone, on single photographs of simulated people; this calibration is of an\n"
            "older version or without films: calibrate anew for that of the whole path"
        )
        print_table(("parameter", "r", "slope"), zip(names, calibration.reliability, calibration.slope, strict=True))
        return
    typer.echo(
        f"reliability, measured on films of {measured.people} simulated people ({len(measured.person)} frames) whom the"
        " calibration has not seen:\n"
        "r      correlation with the truth within a person, by --quality\n"
        "error  of one frame against the person's mean (expression's unit or radians; action units 0 to 5)\n"
        "limit  smallest change of one frame that is told from none with 5 % false alarms and 5 % misses\n"
        "leak   share of the range recovered when only another moves; none where it may be chance"
    )
    fast, full = (figures(template, measured, stage) for stage in ("fast", "full"))
    rows = [(label(name), *_row(fast[name], full[name])) for name in full]
    print_table(("", "fast r", "full r", "95 % interval", "slope", "error", "limit", "largest leak"), rows)
    if not set(full) & set(ACTION_UNITS):
        typer.echo("no action units: the template's expressions have no names")


def write_reliability(template: "Template", calibration: "Calibration", path: Path) -> None:
    """The same as a figure, both sides of the face as one.

    Raises
    ------
    InputError
        The calibration has no films to tell it by.
    """
    import numpy as np

    from atlas.biomarkers.action_units import FULL
    from atlas.biomarkers.reliability import coefficient_names, unit_weights
    from atlas.figures.reliability import reliability_figure
    from reconstruction.errors import InputError
    from reconstruction.storage import write_atomically

    measured = calibration.measured
    if measured is None:
        raise InputError(
            f"expected a calibration of {template.name} that has tried films, but it is of an older version or made "
            "with --films 0; calibrate the template anew."
        )
    single = _without_sides(coefficient_names(template))
    units = {label(code): weights for code, weights in unit_weights(template).items()}
    # opposite directions of gaze are made of the same angles: one of each will do
    units = {name: weights for name, weights in units.items() if not name.startswith(("AU62", "AU64"))}
    blocks = [
        ("expressions, mean of both sides; joints", *_block(single, measured, None)),
        ("action units", *_block(units, measured, np.full(len(units), FULL))),
    ]
    caption = (
        f"Films of {measured.people} simulated people ({len(measured.person)} frames) unknown to the calibration."
        " Lines: 95 % interval over people.\n"
        "Limit: smallest change of one frame against the person's mean that is told from none with 5 % false alarms\n"
        "and 5 % misses (5 is all of an action unit); none: not within its range. Map: what is recovered in the row\n"
        "when only the column moves; white: may be chance."
    )
    write_atomically(path, reliability_figure(f"How well {template.name}'s movements are recovered", caption, blocks))


def label(name: str) -> str:
    """A quantity's name, of an action unit with FACS's."""
    from atlas.biomarkers.action_units import ACTION_UNITS

    return f"{name} {ACTION_UNITS[name].name}" if name in ACTION_UNITS else name


def _row(fast: Any, full: Any) -> tuple[Any, ...]:
    interval = "" if full["low"] is None else f"{full['low']:.2f} to {full['high']:.2f}"
    limit = "none" if full["detection_limit"] is None else f"{full['detection_limit']:.2f}"
    leak = "" if full["leak"] is None else f"{full['leak_from']} {full['leak']:+.2f}"
    return (
        *(_two(x) for x in (fast["r"], full["r"])),
        interval,
        _two(full["slope"]),
        _two(full["error_sd"]),
        limit,
        leak,
    )


def _two(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _without_sides(names: tuple[str, ...]) -> "dict[str, np.ndarray]":
    """{name: (M,)}: means of both sides, where there are two."""
    import numpy as np

    groups: dict[str, list[int]] = {}
    for i, name in enumerate(names):
        stem = name.removesuffix("Left").removesuffix("Right")
        both = {f"{stem}Left", f"{stem}Right"} <= set(names) and stem not in ("mouth", "jaw")
        groups.setdefault(stem if both else name, []).append(i)
    return {name: np.isin(np.arange(len(names)), members) / len(members) for name, members in groups.items()}


def _block(
    weights: "dict[str, np.ndarray]", measured: "Reliability", full: "np.ndarray | None"
) -> "tuple[dict[str, Row], np.ndarray]":
    """Rows and leaks of quantities; full : their ranges, those of the films unless given."""
    import numpy as np

    from atlas.biomarkers.reliability import leaks
    from atlas.figures.reliability import Row

    if not weights:
        return {}, np.zeros((0, 0))
    matrix = np.array(list(weights.values()))
    fast, best = measured.of(matrix, "fast"), measured.of(matrix, "full")
    reach = np.array([recovery.reach or 1.0 for recovery in best]) if full is None else full
    rows = {
        name: Row(
            two.r, two.low, two.high, one.r, "none" if two.detection_limit is None else f"{two.detection_limit:.2f}"
        )
        for name, one, two in zip(weights, fast, best, strict=True)
    }
    return rows, leaks(matrix, measured, "full", reach)
