"""``monitor.html``: what monitoring found, in the look of an atlas's report. Nobody is named; nothing is fetched."""

from pathlib import Path
from typing import Any

import numpy as np

from atlas.inputs import NOVELTY
from atlas.monitoring.alarm import ALPHA, LEAST
from atlas.monitoring.input_alarms import Chart
from atlas.monitoring.monitor import Monitoring
from atlas.report.environment import page_environment
from reconstruction import __version__
from reconstruction.sequence import STATEMENT
from reconstruction.storage import write_atomically

PAGE = "monitor.html"
SHOWN = 12  # features in the page; monitor.json holds all
_WIDTH, _HEIGHT, _MOST = 640, 130, 640  # of a chart, and its points


def write_page(out: str | Path, found: Monitoring) -> Path:
    """Write ``monitor.html`` into the folder `out`."""
    environment = page_environment("atlas.monitoring")
    context: dict[str, Any] = {
        "m": found,
        "statement": STATEMENT,
        "simulated": found.simulated,
        "people_word": "simulated people" if found.simulated else "people",
        "charts": [_drawn(found.inputs.chart)] if found.inputs.chart else [],
        "shown": SHOWN,
        "alpha": ALPHA,
        "least": LEAST,
        "version": __version__,
    }
    path = Path(out) / PAGE
    write_atomically(path, environment.get_template("monitor.html.jinja").render(context).encode())
    return path


def _drawn(chart: Chart) -> dict[str, Any]:
    """A chart's lines as SVG points, and where its threshold lies, in pixels."""
    people = len(chart.up)
    top = 1.1 * max(float(chart.up.max()), float(chart.down.max()), chart.threshold)
    kept = np.unique(np.linspace(0, people - 1, min(people, _MOST)).astype(int))

    def points(values: np.ndarray) -> str:
        x = _WIDTH * kept / max(1, people - 1)
        return " ".join(f"{a:.1f},{_HEIGHT * (1 - b / top):.1f}" for a, b in zip(x, values[kept], strict=True))

    return {
        "name": NOVELTY,
        "people": people,
        "up": points(chart.up),
        "down": points(chart.down),
        "threshold": chart.threshold,
        "line": _HEIGHT * (1 - chart.threshold / top),
        "width": _WIDTH,
        "height": _HEIGHT,
    }
