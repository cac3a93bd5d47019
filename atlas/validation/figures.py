"""Figures of a validation: accuracy beside chance and null, ROC, calibration, decisions, subgroups, embeddings."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from atlas.figures.colours import group_colours
from atlas.figures.page import INK, MARGIN, SMALL, TEXT, AtlasFigure, Page, head_height, tidy, wrapped
from atlas.figures.words import people_word
from atlas.simulation.effects import REFERENCE_GROUP
from atlas.validation.embedding_map import EmbeddingMap
from atlas.validation.intervals import Estimate
from atlas.validation.probabilities import THRESHOLDS
from atlas.validation.validation import MATCHER, Validation

WIDTH, SQUARE = 900, 640
_ROW, _NAMES = 34, 210
_MATCHER, _OTHER, _SHADE = "#0b5c8a", "#7a8594", "#e6eaf0"


def validation_figures(found: Validation) -> list[AtlasFigure]:
    """All that can be drawn, in the order of the report."""
    out = [accuracy_figure(found)]
    if len(found.null.shuffled):
        out.append(null_figure(found))
    out += [roc_figure(found), calibration_figure(found), decision_figure(found)]
    if any(subgroup.accuracy is not None for subgroup in found.subgroups):
        out.append(subgroup_figure(found))
    if found.embeddings is not None:
        out.append(embedding_figure(found, found.embeddings))
    return out


def accuracy_figure(found: Validation) -> AtlasFigure:
    """Matcher and baselines with intervals; chance and, where known, the best possible as lines."""
    rows = [(MATCHER, found.result.accuracy)]
    rows += [(name, other.accuracy) for name, other in found.comparators.items()]
    title = "Held-out accuracy"
    page, top = _page(
        found,
        title,
        "Share of people given their own group when held out, with 95 % interval.",
        WIDTH,
        _ROW * len(rows) + 100,
    )
    axes = page.axes(MARGIN + _NAMES, top + 24, WIDTH - 2 * MARGIN - _NAMES - 150, _ROW * len(rows))
    axes.axvline(found.chance, color=INK, linestyle=(0, (4, 3)), linewidth=1.4)
    axes.annotate(f"chance {found.chance:.0%}", (found.chance, -0.62), fontsize=SMALL, ha="center", va="bottom",
                  annotation_clip=False, color=INK)  # fmt: skip
    if found.best.known:
        axes.axvspan(found.best.low, found.best.high, color="#cfe3d4", zorder=0)
        axes.axvline(found.best.accuracy, color="#2c7a45", linewidth=1.4)
        axes.annotate(f"best possible {found.best.accuracy:.0%}", (found.best.accuracy, -0.62), fontsize=SMALL,
                      ha="center", va="bottom", annotation_clip=False, color="#2c7a45")  # fmt: skip
    for i, (name, estimate) in enumerate(rows):
        _bar(axes, i, estimate, _OTHER if i else _MATCHER)
        y = top + 24 + _ROW * (i + 0.5)
        page.text(MARGIN + _NAMES - 12, y, name, ha="right", weight="normal" if i else "bold")
        page.text(WIDTH - MARGIN - 140, y, _interval(estimate), SMALL, weight="normal" if i else "bold")
    _share_axis(axes, len(rows), "share of people")
    told = "; ".join(f"{name} {_interval(estimate)}" for name, estimate in rows)
    return _figure(page, found, "accuracy", title, f"{told}; chance {found.chance:.0%}")


def null_figure(found: Validation) -> AtlasFigure:
    """Histogram of balanced accuracies with shuffled groups, and the true one."""
    null, title = found.null, "Could it be luck?"
    n = len(null.shuffled)
    page, top = _page(
        found,
        title,
        f"Balanced accuracy of the whole pipeline with the groups shuffled over people, {n} times, and with the true "
        f"groups: p = {null.p:.3g}.",
        WIDTH,
        330,
    )
    axes = page.axes(MARGIN + 60, top + 26, WIDTH - 2 * MARGIN - 90, 220)
    low = min(null.true, null.shuffled.min()) - 0.03
    high = max(null.true, null.shuffled.max()) + 0.03
    axes.hist(
        null.shuffled, bins=np.linspace(low, high, 31 if n >= 50 else 13).tolist(), color=_OTHER, edgecolor="white"
    )
    axes.axvline(1 / len(found.groups), color=INK, linestyle=(0, (4, 3)), linewidth=1.4)
    axes.axvline(null.true, color=_MATCHER, linewidth=2.4)
    axes.annotate(f"true groups {null.true:.0%}", (null.true, 1.02), xycoords=("data", "axes fraction"), fontsize=SMALL,
                  color=_MATCHER, ha="center", va="bottom", annotation_clip=False)  # fmt: skip
    axes.annotate("chance", (1 / len(found.groups), 1.02), xycoords=("data", "axes fraction"), fontsize=SMALL,
                  ha="center", va="bottom", annotation_clip=False)  # fmt: skip
    axes.set_xlim(low, high)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    tidy(axes, "y")
    axes.set_xlabel("balanced accuracy", fontsize=TEXT, color=INK)
    axes.set_ylabel("shuffles", fontsize=TEXT, color=INK)
    return _figure(page, found, "null", title,
                   f"true {null.true:.0%}, shuffled mean {null.shuffled.mean():.0%}, p = {null.p:.3g}")  # fmt: skip


def roc_figure(found: Validation) -> AtlasFigure:
    """One curve a group against all others."""
    title = "ROC: each group against the others"
    page, top = _page(found, title, "Of held-out people, by the probability of the group.", SQUARE, 560)
    axes = page.axes(MARGIN + 62, top + 6, 480, 480)
    axes.plot([0, 1], [0, 1], color=INK, linestyle=(0, (4, 3)), linewidth=1.2)
    colours, told = _colours(found), []
    for name, curve in found.result.roc.items():
        auroc = found.result.groups[name].auroc
        told.append(f"{name} {auroc.value:.2f} ({auroc.low:.2f} to {auroc.high:.2f})")
        axes.plot(*curve.T, color=colours[name], linewidth=2.2, label=told[-1])
    axes.legend(loc="lower right", fontsize=SMALL, frameon=True, edgecolor="white", title="AUROC (95 % interval)",
                title_fontsize=SMALL)  # fmt: skip
    _square(axes, "false positive rate", "true positive rate")
    return _figure(page, found, "roc", title, "AUROC " + "; ".join(told) + "; chance 0.5")


def calibration_figure(found: Validation) -> AtlasFigure:
    """Share right against the probability of the group named, with the band of perfect calibration."""
    result, title = found.calibration, "Calibration"
    page, top = _page(
        found,
        title,
        f"Probability of the group named against the share right, in bins of as many people. Calibration error "
        f"{result.ece:.3f}; perfect calibration shows {result.perfect_low:.3f} to {result.perfect_high:.3f}.",
        SQUARE,
        560,
    )
    axes = page.axes(MARGIN + 62, top + 6, 480, 480)
    x = np.array([b.probability for b in result.bins])
    axes.plot([0, 1], [0, 1], color=INK, linestyle=(0, (4, 3)), linewidth=1.2)
    if len(x) > 1:
        axes.fill_between(x, [b.perfect_low for b in result.bins], [b.perfect_high for b in result.bins], color=_SHADE,
                          label="95 % of perfectly calibrated")  # fmt: skip
    for bin_ in result.bins:
        axes.vlines(bin_.probability, bin_.right.low, bin_.right.high, color=_MATCHER, linewidth=1.6)
    axes.plot(x, [b.right.value for b in result.bins], "o", color=_MATCHER, markersize=7, label="held-out people")
    axes.legend(loc="upper left", fontsize=SMALL, frameon=False)
    _square(axes, "mean probability of the group named", "share right")
    return _figure(
        page, found, "calibration", title,
        f"expected calibration error {result.ece:.3f}, perfectly calibrated classifiers show {result.perfect_low:.3f} "
        f"to {result.perfect_high:.3f} on as many people",
    )  # fmt: skip


def decision_figure(found: Validation) -> AtlasFigure:
    """Net benefit a group: by the matcher, for everyone, for nobody."""
    title, size = "Decision curves", len(found.groups)
    side = min(300, (WIDTH - 2 * MARGIN - 60) // size - 30)
    page, top = _page(
        found,
        title,
        "Net benefit of acting on those whose probability of a group is above the threshold.",
        WIDTH,
        side + 130,
    )
    colours, told = _colours(found), []
    most = 1.1 * max(float(curve.everyone.max()) for curve in found.decisions.values())
    for i, (name, curve) in enumerate(found.decisions.items()):
        axes = page.axes(MARGIN + 56 + i * (side + 30), top + 26, side, side)
        axes.axhline(0, color=INK, linewidth=1, label="nobody")
        axes.plot(THRESHOLDS, curve.everyone, color=_OTHER, linewidth=1.6, label="everyone")
        axes.plot(THRESHOLDS, curve.matcher, color=colours[name], linewidth=2.2, label="by the matcher")
        axes.set_ylim(-0.25 * most, most)
        axes.set_xlim(0, 1)
        axes.set_title(name, fontsize=TEXT, color=INK, loc="left", weight="bold")
        axes.legend(fontsize=SMALL - 0.5, frameon=False, loc="upper right")
        tidy(axes, "both")
        axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "", "0.5", "", "1"])
        axes.set_xlabel("threshold", fontsize=SMALL, color=INK)
        if i:
            axes.set_yticklabels([])
        else:
            axes.set_ylabel("net benefit", fontsize=SMALL, color=INK)
        useful = curve.useful
        told.append(f"{name}: " + (f"gains from {useful[0]:.2f} to {useful[1]:.2f}" if useful else "no gain"))
    return _figure(page, found, "decision-curves", title, "; ".join(told))


def subgroup_figure(found: Validation) -> AtlasFigure:
    """Accuracy of every subgroup of enough people, beside that of all."""
    rows = [s for s in found.subgroups if s.accuracy is not None]
    title = "Accuracy by subgroup"
    page, top = _page(
        found,
        title,
        "With 95 % interval; hollow: fewer than 30 people. The line is everybody's accuracy.",
        WIDTH,
        _ROW * len(rows) + 90,
    )
    axes = page.axes(MARGIN + _NAMES + 30, top + 14, WIDTH - 2 * MARGIN - _NAMES - 180, _ROW * len(rows))
    axes.axvline(found.result.accuracy.value, color=_MATCHER, linewidth=1.4)
    axes.axvline(found.chance, color=INK, linestyle=(0, (4, 3)), linewidth=1.2)
    for i, subgroup in enumerate(rows):
        assert subgroup.accuracy is not None
        _bar(axes, i, subgroup.accuracy, _OTHER, hollow=subgroup.few)
        y = top + 14 + _ROW * (i + 0.5)
        page.text(MARGIN + _NAMES + 18, y, f"{subgroup.variable}: {subgroup.value} (n = {subgroup.size})", ha="right")
        page.text(WIDTH - MARGIN - 140, y, _interval(subgroup.accuracy), SMALL)
    _share_axis(axes, len(rows), "share of people given their own group")
    told = "; ".join(f"{s.variable} {s.value} {_interval(s.accuracy)}" for s in rows if s.accuracy)
    return _figure(page, found, "subgroups", title, told)


def embedding_figure(found: Validation, shown: EmbeddingMap) -> AtlasFigure:
    """People and standard faces on the map of one fold."""
    title = "Embeddings and standard faces"
    page, top = _page(
        found,
        title,
        f"One fold, {shown.how}. Faint: learnt from, so they lie nearer to their face than new people do. Filled: held "
        "out. Stars: standard faces.",
        SQUARE,
        560,
    )
    axes = page.axes(MARGIN + 10, top + 6, SQUARE - 2 * MARGIN - 20, 500)
    colours = _colours(found)
    for g, name in enumerate(shown.groups):
        own = shown.labels == g
        axes.plot(*shown.places[own & ~shown.held].T, "o", color=colours[name], alpha=0.22, markersize=7, linewidth=0)
        axes.plot(*shown.places[own & shown.held].T, "o", color=colours[name], markersize=8, markeredgecolor="white")
    for g, name in enumerate(shown.groups):
        axes.plot(*shown.faces[g], "*", color=colours[name], markersize=24, markeredgecolor=INK, markeredgewidth=1.3)
        axes.annotate(name, shown.faces[g], (10, 10), textcoords="offset points", fontsize=TEXT, weight="bold",
                      color=INK)  # fmt: skip
    axes.margins(0.12)
    axes.set_xticks([])
    axes.set_yticks([])
    handles = [Line2D([], [], marker="o", linewidth=0, color=colours[name], label=name) for name in shown.groups]
    axes.legend(handles=handles, fontsize=SMALL, frameon=False, loc="best")
    for spine in axes.spines.values():
        spine.set_color("#d9dee6")
    return _figure(page, found, "embeddings", title, f"{int(shown.held.sum())} held out, {shown.how}")


def _page(found: Validation, title: str, caption: str, width: int, height: int) -> tuple[Page, int]:
    """A page with its head and foot, `height` pixels between them, and where they begin."""
    lines = wrapped(f"{len(found.people)} {people_word(found.simulated)}. {caption}", width - 2 * MARGIN)
    top = head_height(lines)
    page = Page(width, top + height)
    page.head(title, lines)
    page.foot()
    return page, top


def _figure(page: Page, found: Validation, name: str, title: str, told: str) -> AtlasFigure:
    return AtlasFigure(name, title, f"{title}, {len(found.people)} {people_word(found.simulated)}: {told}", page.figure)


def _colours(found: Validation) -> dict[str, str]:
    reference = REFERENCE_GROUP if REFERENCE_GROUP in found.groups else found.groups[0]
    return group_colours(found.groups, reference)


def _bar(axes: Axes, y: int, estimate: Estimate, colour: str, hollow: bool = False) -> None:
    axes.hlines(y, estimate.low, estimate.high, color=colour, linewidth=3)
    axes.plot(estimate.value, y, "o", color="white" if hollow else colour, markeredgecolor=colour, markersize=9,
              markeredgewidth=2)  # fmt: skip


def _share_axis(axes: Axes, rows: int, label: str) -> None:
    axes.set_xlim(0, 1)
    axes.set_ylim(rows - 0.5, -0.5)
    axes.set_yticks([])
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0%", "25%", "50%", "75%", "100%"])
    tidy(axes, "x")
    axes.set_xlabel(label, fontsize=TEXT, color=INK)


def _square(axes: Axes, x: str, y: str) -> None:
    axes.set_xlim(-0.01, 1.01)
    axes.set_ylim(-0.01, 1.01)
    tidy(axes, "both")
    axes.set_xlabel(x, fontsize=TEXT, color=INK)
    axes.set_ylabel(y, fontsize=TEXT, color=INK)


def _interval(estimate: Estimate) -> str:
    return f"{estimate.value:.0%} ({estimate.low:.0%} to {estimate.high:.0%})"
