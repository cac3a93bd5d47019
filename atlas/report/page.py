"""The report's page: gathers what there is to tell and hands it to the jinja2 template beside this file.

One file with everything in it: pictures as data URIs, the style sheet inline, no script and no address outside. The
same atlas and cohort give the same bytes; only the demonstration's report holds timings.
"""

import platform
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from atlas.aggregation import FEW_FRAMES, LAG_S, MIN_FRAMES, STILL_MM
from atlas.atlas import Atlas
from atlas.cohort import Cohort
from atlas.evaluation import wilson
from atlas.figures import AtlasPictures
from atlas.motion import motion_space
from atlas.overlay import MOTION
from atlas.report.differences import FALSE_DISCOVERY, group_differences
from atlas.report.extras import DemoExtras, match_rows
from atlas.report.people import participant_flow, summarise_people
from atlas.report.pictures import atlas_pictures, data_uri
from reconstruction import __version__
from reconstruction.sequence import STATEMENT
from reconstruction.storage import write_atomically
from reconstruction.template import load_template

NAME = "report.html"
LIBRARIES = ("mediapipe", "numpy", "open3d", "scikit-learn", "scipy", "torch")


def write_report(
    atlas: Atlas,
    cohort: Cohort,
    out: str | Path,
    pictures: AtlasPictures | None = None,
    *,
    matches: Sequence[Mapping[str, Any]] = (),
    true_groups: Mapping[str, str] | None = None,
    demo: DemoExtras | None = None,
) -> Path:
    """Write ``report.html`` into the folder `out`; returns its path.

    cohort : that the atlas was built from, every recording a parameter file
    pictures : of the atlas; drawn with the template of its name where they are not given
    matches : of people who are not in the atlas, as `Match.to_json` gives them; they are shown by their names
    true_groups : {person: group} where they are known
    demo : what only the demonstration knows

    Nobody of the cohort is named in the page.

    Raises
    ------
    InputError
        The template cannot be found.
    """
    if pictures is None:
        head = load_template(atlas.template)
        pictures = AtlasPictures(atlas, head, motion_space(head))
    people = summarise_people(cohort)
    differences, looked_at = group_differences(people, atlas.reference)
    evaluation = atlas.evaluation_summary
    context: dict[str, Any] = {
        "atlas": atlas,
        "statement": STATEMENT,
        "simulated": atlas.simulated,
        "kind": "simulated people" if atlas.simulated else "people",
        "flow": participant_flow(cohort, people),
        "pictures": atlas_pictures(pictures),
        "differences": differences,
        "looked_at": looked_at,
        "false_discovery": FALSE_DISCOVERY,
        "evaluation": evaluation,
        "right": sum(evaluation["confusion"][group][group] for group in atlas.groups),
        "matches": match_rows(matches, true_groups or {}, atlas.groups) if matches else None,
        "demo": demo,
        "demo_frames": [(data_uri(content), told) for content, told in demo.frames] if demo else [],
        "template": pictures.template,
        "version": __version__,
        "versions": [("Python", platform.python_version()), *((name, _version(name)) for name in LIBRARIES)],
        "constants": {"still": STILL_MM, "frames": MIN_FRAMES, "few": FEW_FRAMES, "lag": LAG_S},
        "reliability": atlas.reliability,
        "level": atlas.overlays[atlas.reference][MOTION].level,
        "interval_of": lambda right, of: wilson(right, of),
    }
    page = _environment().get_template("report.html.jinja").render(context)
    path = Path(out) / NAME
    write_atomically(path, page.encode())
    return path


def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("atlas.report", "templates"),
        autoescape=select_autoescape(("html", "jinja"), default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "percent": _percent,
        "probability": _probability,
        "number": _number,
        "signed": _signed,
        "count": _count,
        "seconds": _seconds,
    }
    return made


def _percent(share: float) -> str:
    return f"{100 * share:.0f}\N{NO-BREAK SPACE}%"


def _probability(share: float) -> str:
    """Never 0 or 100 %: nothing that is estimated from people is certain."""
    if 0.01 <= share <= 0.99:
        return _percent(share)
    return "<1\N{NO-BREAK SPACE}%" if share < 0.5 else ">99\N{NO-BREAK SPACE}%"


def _number(value: float, digits: int = 2) -> str:
    return f"{value:.{digits}f}"


def _signed(value: float, digits: int = 2) -> str:
    return f"{value:+.{digits}f}".replace("-", "−")


def _count(value: int) -> str:
    return f"{value:,}"


def _seconds(value: float) -> str:
    return (
        f"{value:.1f} s"
        if value < 10
        else f"{value:.0f} s"
        if value < 100
        else f"{value // 60:.0f} min {value % 60:.0f} s"
    )


def _version(library: str) -> str:
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return "not installed"
