"""How sure the statistics are: power on planted effects, and false alarms without any, on simulated people.

usage: python scripts/measure_power.py [--out outputs/power] [--reference 300] [--people 160] [--draws 200]
       [--map-draws 30] [--cohorts 600]

Writes OUT/power.json, power.md and power.png, of the json anew where it is there; eight minutes of one processor.

A pool of simulated people is made once (OUT/pool.npz): a reference group, and for each of three effect files and three
sizes d a group in which every effect of the file is planted at that size. Cohorts are drawn from the pool without
replacement, so that they share people: their scatter is that of drawing from this pool. In every cohort, units (mean
intensity), regions (``emoface16``, share and speed) and vertices (motion and outward) are tested as `atlas.statistics`
tests them, adjusted for age and sex: step-down max-T of 999 permutations, and TFCE on the mesh of 99.

Beside what is measured from a person's two short recordings stands the person's own value under the same test: the
latent level of every unit, which the simulation knows; for regions and vertices, where it has no closed form, the mean
over two further pairs of recordings. A region or vertex counts as planted where the own values of the whole pool
differ by half of d or more, in that direction. Power is the share of planted ones that are found in the right
direction with a corrected p of 0.05 or less; of vertices, the share of their area.

False alarms: cohorts of two groups of 40 drawn from the reference group, labels by chance; an alarm is any corrected p
of 0.05 or less in a family.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from scipy.stats import binomtest

from atlas.aggregation import frame_weights
from atlas.biomarkers.recording import FaceParts, face_parts, recording_biomarkers
from atlas.overlay import outward_directions
from atlas.simulation import Person, simulate_people, simulate_recording
from atlas.simulation.effects import UNITS
from atlas.statistics.maps import map_p_values
from atlas.statistics.permutation import fit, model, orders, shuffled_t, step_down
from atlas.statistics.tfce import Surface, face_surface
from reconstruction.sequence import FaceSequence
from reconstruction.template import load_template

EFFECTS = {  # direction of every effect
    "mouth": {"AU12": -1, "AU15": 1, "AU17": 1},
    "brows and eyes": {"AU01": 1, "AU04": 1, "AU05": -1},
    "mixed": {"AU06": -1, "AU20": 1, "AU26": -1},
}
SIZES = (0.5, 0.8, 1.2)
GROUPS = (40, 80)
STIMULI = ("happiness", "fear")
SECONDS, FPS = 10.0, 10.0
FURTHER = 2  # pairs of recordings whose mean stands for a person's own value
PERMUTATIONS, MAP_PERMUTATIONS = 999, 99
ALPHA = 0.05
FAMILIES = {
    "units": "action units",
    "speed": "regions, mm/s",
    "share": "regions, %",
    "motion": "vertices, motion",
    "outward": "vertices, outward",
}
MAPS = ("motion", "outward")
INK, COLOURS = "#222222", ("#2166ac", "#b2182b")

Pool = dict[str, np.ndarray]


def measured(sequence: FaceSequence, parts: FaceParts, wanted: np.ndarray) -> np.ndarray:
    """Quantities of one recording."""
    return recording_biomarkers(sequence, parts)[wanted]


def moments(sequence: FaceSequence, parts: FaceParts) -> tuple[np.ndarray, np.ndarray]:
    """Mean motion, and its covariance, as `atlas.aggregation` has them."""
    motion = parts.space.vectors(sequence)
    return frame_weights(sequence, parts.space) @ motion, np.cov(motion, rowvar=False, bias=True)


def observe(person: Person, number: int, parts: FaceParts, wanted: np.ndarray, surface: Surface) -> list[np.ndarray]:
    """Quantities, outward coefficients and motion map of one pair of recordings of a person."""
    films = [simulate_recording(person, s, SECONDS, FPS, number, TEMPLATE) for s in STIMULI]
    mean, covariance = (np.mean(both, 0) for both in zip(*(moments(f, parts) for f in films), strict=True))
    values = np.mean([measured(f, parts, wanted) for f in films], 0)
    return [values, mean, rms(parts, surface, covariance)]


def rms(parts: FaceParts, surface: Surface, covariance: np.ndarray) -> np.ndarray:
    """(F,) mm, the motion map on the face."""
    flat = parts.space.directions[surface.vertices].reshape(-1, parts.space.size)
    return 1000 * np.sqrt(((flat @ covariance.astype(np.float32)) * flat).sum(1).reshape(-1, 3).sum(1))


def make_pool(reference: int, people: int, parts: FaceParts, surface: Surface) -> Pool:
    """Everything that is drawn from; keys are ``GROUP/what``."""
    names = np.array(parts.names)
    wanted = np.concatenate(
        [
            [list(names).index(unit) for unit in UNITS],
            np.flatnonzero([n.startswith("emoface16") and n.endswith("speed") for n in names]),
            np.flatnonzero([n.startswith("emoface16") and n.endswith("share") for n in names]),
        ]
    )
    outward = outward_directions(TEMPLATE, parts.space)[surface.vertices]
    wishes: list[tuple[str, dict[str, float], int, int]] = [("reference", {}, reference, 1)]
    for i, (name, signs) in enumerate(EFFECTS.items()):
        for j, size in enumerate(SIZES):
            planted = {unit: size * sign for unit, sign in signs.items()}
            wishes.append((f"{name} {size}", planted, people, 10 + 3 * i + j))
    pool: Pool = {}
    for label, planted, count, seed in wishes:
        group = "HC" if not planted else "planted"
        effects = {"planted": planted}
        made = [p for p in simulate_people(2 * count, effects, seed, TEMPLATE) if p.group == group]
        own: list[list[np.ndarray]] = []
        first: list[list[np.ndarray]] = []
        for person in made:
            first.append(observe(person, 0, parts, wanted, surface))
            more = [observe(person, n, parts, wanted, surface) for n in range(1, 1 + FURTHER)]
            own.append([np.mean(part, 0) for part in zip(*more, strict=True)])
        for kind, rows in (("seen", first), ("own", own)):
            values, mean, motion = (np.array(part) for part in zip(*rows, strict=True))
            n = len(UNITS)
            pool[f"{label}/{kind}/units"] = values[:, :n]
            pool[f"{label}/{kind}/speed"] = values[:, n : n + 16]
            pool[f"{label}/{kind}/share"] = values[:, n + 16 :]
            pool[f"{label}/{kind}/motion"] = motion.astype(np.float32)
            pool[f"{label}/{kind}/outward"] = (mean @ outward.T).astype(np.float32)
        pool[f"{label}/own/units"] = np.array([[p.levels[unit] for unit in UNITS] for p in made])
        pool[f"{label}/covariates"] = np.array([[p.age, p.sex == "F"] for p in made], float)
        print(f"pool: {label}, {len(made)} people", flush=True)
    return pool


def corrected(
    values: np.ndarray, group: np.ndarray, covariates: np.ndarray, shuffles: np.ndarray, surface: Surface | None
) -> tuple[np.ndarray, np.ndarray]:
    """Corrected p and t of every column; with a surface by TFCE."""
    of = model(group, np.column_stack([np.ones(len(group)), covariates - covariates.mean(0)]))
    fitted = fit(of, values.astype(float))
    if surface is None:
        return step_down(fitted.t, shuffled_t(of, fitted.residuals, shuffles)), fitted.t
    return map_p_values(of, fitted.residuals, fitted.t, surface, shuffles)[1], fitted.t


def families() -> Iterator[tuple[str, bool]]:
    for family in FAMILIES:
        yield family, family in MAPS


def planted(pool: Pool, label: str, family: str, size: float) -> np.ndarray:
    """-1, 0 or 1 for every column of a family: what is planted, and in which direction."""
    if family == "units":
        signs = EFFECTS[label]
        return np.array([signs.get(unit, 0) for unit in UNITS])
    a, b = pool[f"{label} {size}/own/{family}"].astype(float), pool[f"reference/own/{family}"].astype(float)
    d = (a.mean(0) - b.mean(0)) / np.sqrt((a.var(0) + b.var(0)) / 2)
    return np.sign(d) * (np.abs(d) >= size / 2)


def power(
    pool: Pool, label: str, size: float, n: int, draws: int, map_draws: int, surface: Surface, seed: int
) -> dict[str, list[list[float]]]:
    """{family: rows of [found from recordings, found from own values]}, a row a draw."""
    rng = np.random.default_rng([seed, n])
    group = np.repeat([1.0, 0.0], n)
    out: dict[str, list[list[float]]] = {family: [] for family in FAMILIES}
    signs = {family: planted(pool, label, family, size) for family in FAMILIES}
    for draw in range(max(draws, map_draws)):
        some = rng.permutation(len(pool[f"{label} {size}/covariates"]))[:n]
        others = rng.permutation(len(pool["reference/covariates"]))[:n]
        covariates = np.concatenate([pool[f"{label} {size}/covariates"][some], pool["reference/covariates"][others]])
        shuffles = orders(2 * n, PERMUTATIONS, rng)
        for family, mapped in families():
            sign = signs[family]
            if draw >= (map_draws if mapped else draws) or not sign.any():
                continue
            weight = np.abs(sign) * (surface.area if mapped else 1)
            row = []
            for kind in ("seen", "own"):
                values = np.concatenate(
                    [pool[f"{label} {size}/{kind}/{family}"][some], pool[f"reference/{kind}/{family}"][others]]
                )
                used = shuffles[:MAP_PERMUTATIONS] if mapped else shuffles
                p, t = corrected(values, group, covariates, used, surface if mapped else None)
                row.append(float(np.average((p <= ALPHA) & (np.sign(t) == sign), weights=weight)))
            out[family].append(row)
    return out


def false_alarms(pool: Pool, cohorts: int, surface: Surface, seed: int) -> dict[str, int]:
    """Cohorts with an alarm, by family."""
    rng = np.random.default_rng([seed, 0])
    count = dict.fromkeys(FAMILIES, 0)
    group = np.repeat([1.0, 0.0], GROUPS[0])
    for _ in range(cohorts):
        some = rng.permutation(len(pool["reference/covariates"]))[: len(group)]
        shuffles = orders(len(group), PERMUTATIONS, rng)
        for family, mapped in families():
            used = shuffles[:MAP_PERMUTATIONS] if mapped else shuffles
            values, covariates = pool[f"reference/seen/{family}"][some], pool["reference/covariates"][some]
            p, _ = corrected(values, group, covariates, used, surface if mapped else None)
            count[family] += bool((p <= ALPHA).any())
    return count


def main() -> None:
    parser = argparse.ArgumentParser(description="power and false alarms of the statistics on simulated people")
    parser.add_argument("--out", type=Path, default=Path("outputs/power"))
    parser.add_argument("--reference", type=int, default=300, help="simulated people without effects")
    parser.add_argument("--people", type=int, default=160, help="simulated people of every effect and size")
    parser.add_argument("--draws", type=int, default=200, help="cohorts for every power of units and regions")
    parser.add_argument("--map-draws", type=int, default=30, help="the same of vertices")
    parser.add_argument("--cohorts", type=int, default=600, help="cohorts without effects")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    results = given.out / "power.json"
    if not results.is_file():
        results.parent.mkdir(parents=True, exist_ok=True)
        document = measure(given)
        results.write_text(json.dumps(document, indent=1) + "\n", "utf-8")
    document = json.loads(results.read_text("utf-8"))
    table = tables(document)
    (given.out / "power.md").write_text(table, "utf-8")
    (given.out / "power.png").write_bytes(picture(document))
    print(table)


def measure(given: argparse.Namespace) -> dict:
    """Found by every draw, and false alarms."""
    started = time.process_time()
    surface = face_surface(TEMPLATE)
    kept = given.out / "pool.npz"
    if not kept.is_file():
        np.savez(kept, **make_pool(given.reference, given.people, face_parts(TEMPLATE), surface))
    pool = dict(np.load(kept))
    print(f"pool: {time.process_time() - started:.0f} s of processor", flush=True)
    alarms = false_alarms(pool, given.cohorts, surface, given.seed)
    print(f"false alarms in {given.cohorts} cohorts: {alarms}", flush=True)
    found: dict[str, dict[str, list[list[float]]]] = {}
    for label in EFFECTS:
        for size in SIZES:
            for n in GROUPS:
                rows = power(pool, label, size, n, given.draws, given.map_draws, surface, given.seed)
                found[f"{label}|{size}|{n}"] = rows
                told = {f: [round(float(x), 2) for x in np.mean(r, 0)] for f, r in rows.items() if r}
                print(f"{label}, d {size}, {n} a group: {told}", flush=True)
    print(f"{time.process_time() - started:.0f} s of processor")
    settings = {name: value for name, value in vars(given).items() if name != "out"}
    return {"settings": settings, "alarms": alarms, "power": found}


def interval(rows: list[list[float]], column: Callable[[np.ndarray], np.ndarray]) -> tuple[float, float]:
    """Mean over draws, and half of its 95 % interval."""
    values = column(np.array(rows))
    return float(values.mean()), 1.96 * float(values.std(ddof=1)) / len(values) ** 0.5


def pooled(document: dict, family: str, size: float, n: int) -> list[list[float]]:
    """Draws of all effect files."""
    return [row for label in EFFECTS for row in document["power"][f"{label}|{size}|{n}"][family]]


def tables(document: dict) -> str:
    """Markdown: power from recordings / from people's own values, and false alarms."""
    cohorts = int(document["settings"]["cohorts"])
    head = [f"d {size}, {n} a group" for n in GROUPS for size in SIZES]
    lines = [f"| power | {' | '.join(head)} |", f"|---{'|---' * len(head)}|"]
    for family, words in FAMILIES.items():
        cells = []
        for n in GROUPS:
            for size in SIZES:
                rows = pooled(document, family, size, n)
                if not rows:
                    cells.append("none planted")
                    continue
                seen, own = (interval(rows, lambda r, c=c: r[:, c])[0] for c in (0, 1))
                gap, half = interval(rows, lambda r: 100 * (r[:, 0] - r[:, 1]))
                cells.append(f"{100 * seen:.0f} / {100 * own:.0f} % ({gap:+.0f} ± {half:.0f})")
        lines.append(f"| {words} | {' | '.join(cells)} |")
    lines += ["", f"| false alarms in {cohorts} cohorts | share | 95 % interval |", "|---|---|---|"]
    for family, words in FAMILIES.items():
        count = document["alarms"][family]
        limits = binomtest(count, cohorts).proportion_ci(method="wilson")
        lines.append(
            f"| {words} | {100 * count / cohorts:.1f} % | {100 * limits.low:.1f} to {100 * limits.high:.1f} % |"
        )
    return "\n".join(lines) + "\n"


def picture(document: dict) -> bytes:
    """PNG: power against d for every family, and false alarms."""
    import io

    cohorts = int(document["settings"]["cohorts"])
    figure = Figure(figsize=(11.6, 6.4), dpi=110, facecolor="white", layout="constrained")
    axes = figure.subplots(2, 3, sharey=False).ravel()
    for panel, (family, words) in zip(axes, FAMILIES.items(), strict=False):
        for n, colour in zip(GROUPS, COLOURS, strict=True):
            cells = {size: rows for size in SIZES if (rows := pooled(document, family, size, n))}
            for column, style in ((0, "-"), (1, "--")):
                both = [interval(rows, lambda r, c=column: 100 * r[:, c]) for rows in cells.values()]
                panel.errorbar(
                    list(cells), [b[0] for b in both], [b[1] for b in both], color=colour, linestyle=style, marker="o",
                    markerfacecolor=colour if column == 0 else "white", markersize=5, capsize=2,
                    label=f"{n} a group, {'from recordings' if column == 0 else 'people’s own values'}",
                )  # fmt: skip
        panel.set_title(words, fontsize=11, color=INK)
        panel.set(ylim=(-3, 103), xlim=(0.4, 1.3), xticks=SIZES, xlabel="planted difference d")
        panel.set_ylabel("found, corrected p ≤ 0.05, %", fontsize=9)
    last = axes[len(FAMILIES)]
    for i, family in enumerate(FAMILIES):
        count = document["alarms"][family]
        limits = binomtest(count, cohorts).proportion_ci(method="wilson")
        last.hlines(i, 100 * limits.low, 100 * limits.high, color=INK)
        last.plot(100 * count / cohorts, i, "o", color=INK)
    last.axvline(5, color="#b2182b", linestyle=":", linewidth=1.2)
    last.set(yticks=range(len(FAMILIES)), xlim=(0, 15), ylim=(len(FAMILIES) - 0.5, -0.5))
    last.set_yticklabels(FAMILIES.values())
    last.set_xlabel("cohorts with a false alarm, %")
    last.set_title(f"no effect planted, {cohorts} cohorts", fontsize=11, color=INK)
    for panel in axes:
        panel.spines[["top", "right"]].set_visible(False)
        panel.tick_params(labelsize=9, colors=INK)
    axes[0].legend(fontsize=8, frameon=False, loc="lower right")
    figure.supxlabel("simulated people; research use; not a diagnosis", fontsize=9, color="#666666")
    packed = io.BytesIO()
    FigureCanvasAgg(figure).print_png(packed, metadata={"Software": None})
    return packed.getvalue()


TEMPLATE = load_template()

if __name__ == "__main__":
    main()
