"""A recording's quality as one picture: its time line coloured by what is wrong where. It shows nobody's face."""

from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from atlas.figures.page import DPI, INK, figure_png
from reconstruction.sequence import STATEMENT, FaceSequence
from reconstruction.verdict import WORDS, percent

USED = "#2a7f62"
LOW = "#a9d6c5"  # used, with little weight
COLOURS = {  # Okabe and Ito's palette and greys: told apart with colour blindness; nearby meanings share a hue
    "no face": "#4d4d4d",
    "other face": "#999999",
    "low confidence": "#cc79a7",
    "too small": "#f0e442",
    "cut off": "#e69f00",
    "extreme pose": "#0072b2",
    "exposure": "#111111",
    "too dark": "#111111",
    "too bright": "#ffffff",
    "blurred": "#56b4e9",
    "occluded": "#d55e00",
    "pose not solved": "#8c564b",
}
VERDICT = {"good": "#2a7f62", "usable": "#b8860b", "not usable": "#b22222"}
_HALF = 0.5  # weight below which a frame used is drawn light


def quality_strip(sequence: FaceSequence, title: str) -> bytes:
    """PNG: verdict and reasons in words, the time line, and a legend with shares."""
    verdict = sequence.verdict
    seconds = len(sequence) / sequence.frame_rate
    kinds = frame_kinds(sequence)
    pairs = zip(verdict.reasons, verdict.advice, strict=True)
    lines = [f"{reason[0].upper()}{reason[1:]}: {advice}." for reason, advice in pairs]
    rows = -(-len(kinds) // 2)
    height = 1.95 + 0.2 * len(lines) + 0.22 * rows
    figure = Figure(figsize=(8.6, height), dpi=1.5 * DPI, facecolor="white")

    def text(x: float, inches: float, words: str, **style: Any) -> None:
        figure.text(x, 1 - inches / height, words, **{"color": INK, "va": "center", "fontsize": 9.5, **style})

    text(0.03, 0.24, verdict.verdict.upper(), fontsize=15, weight="bold", color=VERDICT[verdict.verdict])
    share = f"{100 * verdict.used:.0f} % of {seconds:.1f} s used" if len(sequence) > 1 else "one picture"
    text(0.03, 0.52, share, fontsize=11)
    text(0.97, 0.24, title + (" (simulated person)" if sequence.simulated else ""), ha="right")
    for i, line in enumerate(lines):
        text(0.03, 0.76 + 0.2 * i, line)
    top = 0.76 + 0.2 * len(lines)

    axes = figure.add_axes((0.03, 1 - (top + 0.42) / height, 0.94, 0.36 / height))
    axes.set_xlim(0, max(seconds, 1e-6))
    axes.set_ylim(0, 1)
    for _, colour, where in kinds:
        axes.broken_barh(runs(where, sequence.frame_rate), (0, 1), facecolor=colour, linewidth=0)
    axes.set_yticks([])
    axes.tick_params(labelsize=8, colors=INK)
    axes.set_xlabel("seconds", fontsize=8.5, color=INK, labelpad=2)
    count = len(sequence)
    figure.legend(
        handles=[
            Patch(facecolor=colour, edgecolor="#777777", linewidth=0.5, label=f"{name}: {percent(where.sum() / count)}")
            for name, colour, where in kinds
        ],
        loc="upper left", bbox_to_anchor=(0.02, 1 - (top + 0.86) / height), ncols=2, frameon=False, fontsize=8.5,
        labelcolor=INK, borderaxespad=0, columnspacing=3, handlelength=1.4, labelspacing=0.45,
    )  # fmt: skip
    text(0.03, height - 0.16, STATEMENT, fontsize=8, color="#666666")
    return figure_png(figure)


def frame_kinds(sequence: FaceSequence) -> list[tuple[str, str, np.ndarray]]:
    """(words, colour, (T,) bool: its frames) of every kind of frame that there is: used, or why it is not."""
    names = sequence.reason_names
    present = [i for i in range(1, len(names)) if (sequence.reason == i).any()]
    used = sequence.valid & (sequence.quality >= _HALF)
    kinds = [("used", USED, used), ("used, low quality", LOW, sequence.valid & ~used)]
    kinds += [(WORDS[names[i]][0], COLOURS[names[i]], sequence.reason == i) for i in present if names[i] in WORDS]
    return [kind for kind in kinds if kind[2].any()]


def runs(where: np.ndarray, frame_rate: float) -> list[tuple[float, float]]:
    """(start, width) in seconds of every run of True in (T,)."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], where, [False]]).astype(np.int8)))
    return [(a / frame_rate, (b - a) / frame_rate) for a, b in list(pairwise(edges))[::2]]
