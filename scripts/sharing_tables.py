"""Tables and picture of what ``measure_sharing.py`` measured."""

import io

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from atlas.sharing.field_sets import MOST_COST
from sharing_blur import ALIKE, LIMIT, NOISES, SETS

LEVELS = ("full", "motion", "summary", "group")


def tables(document: dict) -> str:
    lines = ["| level | top-1 (95 % interval) | best attack | biomarkers within 0.1 SD | error, SD | r | matched |"]
    lines.append("|---|---|---|---|---|---|---|")
    for row in (document[part] for part in ("not_shared", *LEVELS)):
        top1 = "not applicable"
        if row["top1"] is not None:
            top1 = f"{row['top1']:.1%} ({row['top1_low']:.1%} to {row['top1_high']:.1%})"
        rest = ["", "", "", ""]
        if "match" in row:
            hit, low, high = row["match"]
            rest = [str(row["kept"]), f"{row['error']:.2f}", f"{row['r']:.2f}", f"{hit:.0%} ({low:.0%} to {high:.0%})"]
        attack = row.get("attack", "") if row["top1"] is not None else ""
        lines.append(f"| {row['level']} | {top1} | {attack} | {' | '.join(rest)} |")
    alike = [n for n in ALIKE if n <= document["settings"]["people"] // 2]
    for key, values, words in (("noise", NOISES, "top-1 by noise, SD"), ("alike", alike, "top-1 by people alike")):
        lines += ["", f"| {words} | {' | '.join(f'{n:g}' for n in values)} |", f"|---{'|---' * len(values)}|"]
        for name in SETS:
            rows = [row for row in document["trade_off"] if row["set"] == name and row.get(key) in values]
            told = "{:.1f} %" if key == "noise" else "{:.1f} %, {:.2f}"
            lines.append(f"| {name} | {' | '.join(told.format(100 * row['top1'], row['r']) for row in rows)} |")
        of_twelve = [row for row in document["trade_off"] if row["set"] == "core:12" and row.get(key) in values]
        for figure, of in (("error", "error, SD"), ("r", "correlation"), ("very", "top-1, very recordings")):
            lines.append(f"| *{of}, 12* | {' | '.join(f'{row[figure]:.2f}' for row in of_twelve)} |")
    lines += [
        "",
        "| top-1 of 5 %: set | noise: SD, r, very, matched | means: alike, r, very, matched | unblurred matched |",
    ]
    lines.append("|---|---|---|---|")
    for row in document["at_the_limit"]:
        told = [
            f"{row[way][size]:.3g}, {row[way]['r']:.2f}, {row[way]['very']:.1%}, {row[way]['match']:.0%}"
            if way in row
            else "none"
            for way, size in (("noise", "noise"), ("means", "alike"))
        ]
        lines.append(f"| {row['set']} | {' | '.join(told)} | {row['clean']:.0%} |")
    lines += [
        "",
        "| groups | d of AU12 | false alarms at 5 % | nearest neighbour, random groups |",
        "|---|---|---|---|",
    ]
    for row in document["group_tests"]:
        told = f"{row['d']:.2f} | {row['alarms']:.1%} | {row['neighbour']:.0%}"
        lines.append(f"| {row['set']}, {row['way']} | {told} |")
    ways = list(document["draws_of_noise"][0])[2:]
    lines += ["", f"| noise of one size, drawn | {' | '.join(ways)} |", f"|---{'|---' * len(ways)}|"]
    for row in document["draws_of_noise"]:
        lines.append(f"| {row['set']}, {row['noise']:g} SD | {' | '.join(f'{row[w]:.1%}' for w in ways)} |")
    lines += ["", "| differencing | error of the recovered face, mm |", "|---|---|"]
    for row in document["differences"]:
        found = row.get("said") or f"{row['mm']:.3f}"
        lines.append(f"| {row['tool']}, {row['n']} and {row['n'] + 1} people | {found} |")
    return "\n".join(lines) + "\n"


def picture(document: dict) -> bytes:
    """PNG: top-1 against the correlation kept, of noise and of means, a line for every set of biomarkers."""
    figure = Figure(figsize=(9.6, 5.4), dpi=110, facecolor="white", layout="constrained")
    panels = figure.subplots(1, 2, sharex=True, sharey=True)
    for panel, key, words in zip(panels, ("noise", "alike"), ("noise", "means of people alike"), strict=True):
        for name, shade in zip(SETS, np.linspace(0.85, 0.25, len(SETS)), strict=True):
            rows = [row for row in document["trade_off"] if row["set"] == name and key in row]
            blue = (0.10 + 0.5 * shade, 0.25 + 0.5 * shade, 0.45 + 0.45 * shade)
            panel.plot([r["r"] for r in rows], [100 * r["top1"] for r in rows], "o-", color=blue, markersize=3.5)
            said = {"units": "51", "all": "445"}.get(name, name.replace("core:", ""))
            at, place, to = max(rows, key=lambda r: r["r"]), (-6, 0), "right"
            if key == "alike":
                place, to = ((0, 7), "left") if name == "all" else ((-2, 7), "right")
            elif name in ("units", "all"):  # whose beginnings lie over each other
                at, place, to = min(rows, key=lambda r: r["r"]), (6, 0), "left"
            panel.annotate(
                said, (at["r"], 100 * at["top1"]), place, textcoords="offset points",
                ha=to, va="center", fontsize=8, color="#333333",
            )  # fmt: skip
        panel.axhspan(0.1, 100 * LIMIT, 0, (MOST_COST + 0.04) / 0.84, color="#b2182b", alpha=0.08, linewidth=0)
        panel.axhline(100 / document["settings"]["people"], color="#666666", linestyle=":", linewidth=1.2)
        panel.set_title(words, fontsize=10, loc="left")
        panel.spines[["top", "right"]].set_visible(False)
    last = panels[-1]
    last.annotate("chance", (0.21, 100 / document["settings"]["people"]), va="bottom", ha="right", fontsize=8)
    last.annotate("within the\ndefault's limits", (1.03, 0.52), va="bottom", ha="left", fontsize=8, color="#b2182b")
    panel = panels[0]
    panel.set_yscale("log")
    panel.set(xlim=(1.04, 0.2), ylim=(0.33, 130), yticks=[0.5, 1, 2, 5, 10, 20, 50, 100])
    panel.set_yticklabels(["0.5", "1", "2", "5", "10", "20", "50", "100"])
    panel.minorticks_off()
    panel.set_ylabel(f"found again by the best attack, % of {document['settings']['people']} simulated people")
    figure.suptitle("Biomarkers that leave (numbers), what is kept of them, and re-identification", fontsize=11)
    figure.supxlabel(
        "correlation with the values as measured\n"
        "simulated people in two sessions; research use; not a diagnosis", fontsize=9, color="#333333",
    )  # fmt: skip
    packed = io.BytesIO()
    FigureCanvasAgg(figure).print_png(packed, metadata={"Software": None})
    return packed.getvalue()
