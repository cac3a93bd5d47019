"""Ours beside a peer: taking turns, ratios, and the table and plot that show them."""

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

Contestant = Callable[[], dict[str, float] | None]
OURS, PEER = "#1b6ca8", "#b8b8b8"


@dataclass(frozen=True)
class Row:
    """One comparison; `ratio` is the median over the turns, `quartiles` its spread."""

    measured: str
    ours: str
    ours_value: float
    peer: str
    peer_value: float
    unit: str
    ratio: float
    quartiles: tuple[float, float] | None = None


@dataclass
class Report:
    rows: list[Row] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    def attempt(self, name: str, make: Callable[[], Any]) -> Any:
        """What `make` gives, or None where the peer is not there, which the report says."""
        try:
            return make()
        except (ImportError, FileNotFoundError) as error:
            self.left_out.append(f"{name} is left out: {error}")
            return None

    def compare(self, measured: str, times: dict[str, np.ndarray], ours: str, peer: str, inverse: bool = False) -> None:
        """Add ours against the peer, where both were timed; `inverse` for how many times as long ours takes."""
        if ours in times and peer in times:
            ratios = times[ours] / times[peer] if inverse else times[peer] / times[ours]
            low, middle, high = (float(q) for q in np.quantile(ratios, (0.25, 0.5, 0.75)))
            values = (1000 * float(np.median(times[name])) for name in (ours, peer))
            self.rows.append(Row(measured, ours, next(values), peer, next(values), "ms", middle, (low, high)))


def race(contestants: dict[str, tuple[Contestant, int]], turns: int, advance: Callable[[], None]) -> dict[str, Any]:
    """Seconds a frame (turns,) of each: what is run, and how many frames that is; after one turn that does not count.

    Every turn has its own order: who comes after the largest finds the processor's cache full of that one's arrays.
    A contestant may return parts of its time by name, seconds.
    """
    rng = np.random.default_rng(0)
    times: dict[str, list[float]] = {}
    for turn in range(turns + 1):
        for name in rng.permutation(list(contestants)):
            run, frames = contestants[name]
            start = time.perf_counter()
            parts = run() or {}
            parts[name] = time.perf_counter() - start
            if turn:
                for part, seconds in parts.items():
                    times.setdefault(part, []).append(seconds / frames)
            advance()
    return {name: np.array(seconds) for name, seconds in times.items()}


def write(report: Report, about: dict[str, Any], out: Path) -> str:
    """benchmark.md, .json and .png in `out`; returns the table."""
    lines = ["| measured | ours | | other | | ratio | quartiles |", "|---|---|---|---|---|---|---|"]
    for row in report.rows:
        digits = 2 if row.unit == "r" or row.ours_value < 10 else 1
        values = (f"{value:.{digits}f} {row.unit}" for value in (row.ours_value, row.peer_value))
        spread = "{:.2f} to {:.2f}".format(*row.quartiles) if row.quartiles else ""
        cells = (row.measured, row.ours, next(values), row.peer, next(values), f"{row.ratio:.2f}", spread)
        lines.append(f"| {' | '.join(cells)} |")
    facts = ", ".join(f"{name} {value}" for name, value in about.items())
    table = "\n".join([*lines, "", f"{facts}.", *report.left_out, ""])
    out.mkdir(parents=True, exist_ok=True)
    (out / "benchmark.md").write_text(f"# Benchmark\n{table}", "utf-8")
    rows = [asdict(row) for row in report.rows]
    document = {"about": about, "rows": rows, "left_out": report.left_out}
    (out / "benchmark.json").write_text(json.dumps(document, indent=1) + "\n", "utf-8")
    draw(report.rows, out / "benchmark.png")
    return table


def draw(rows: list[Row], path: Path) -> None:
    """Every comparison as a pair of bars; times on a logarithmic axis."""
    parts = [[row for row in rows if (row.unit == "r") == correlation] for correlation in (False, True)]
    parts = [part for part in parts if part]
    heights = [len(part) for part in parts]
    figure = Figure((10, 1.2 + 0.5 * sum(heights)), layout="constrained")
    axes = figure.subplots(len(parts), squeeze=False, gridspec_kw={"height_ratios": heights})[:, 0]
    for axis, part in zip(axes, parts, strict=True):
        for y, row in enumerate(part):
            for offset, value, label, colour in (
                (-0.2, row.ours_value, row.ours, OURS),
                (0.2, row.peer_value, row.peer, PEER),
            ):
                axis.barh(y + offset, value, 0.38, color=colour)
                axis.annotate(
                    f"{label}: {value:.3g}",
                    (value, y + offset),
                    (4, 0),
                    textcoords="offset points",
                    va="center",
                    fontsize=8,
                )
        axis.set_yticks(range(len(part)), [row.measured for row in part], fontsize=8)
        axis.margins(y=0.02)
        axis.invert_yaxis()
        axis.spines[["top", "right"]].set_visible(False)
        if part[0].unit == "r":
            axis.set(
                xlabel="correlation with the truth (longer is better)", xlim=(0, 1.3), xticks=np.arange(0, 1.01, 0.2)
            )
        else:
            most = max(max(row.ours_value, row.peer_value) for row in part)
            axis.set(xlabel="milliseconds a frame (shorter is better)", xscale="log", xlim=(None, 12 * most))
    figure.savefig(path, dpi=130)
