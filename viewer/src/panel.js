// The panel's numbers: at a place, and the list of the surest differences.

import { $, make } from "./dom.js";
import { contrastText, effectNumbers, effectTitle, interval, number, pValue } from "./wording.js";

const LISTED = 6;

// Where the pointer is: the place's name, every group's movement there, every difference, what the statistics say.
export function showHere(atlas, state) {
  const { here, mark } = state;
  if (!here && !mark) {
    $("here").replaceChildren(make("p", { className: "soft", textContent: "Point at a face, or choose a place." }));
    return;
  }
  const parts = [make("h3", { textContent: title(atlas, here, mark) })];
  if (here) parts.push(pointTable(atlas, state.overlay === "outward" ? "outward" : "motion", here));
  if (mark) parts.push(...placeRows(atlas, mark));
  const reliability = here && atlas.overlay("reliability");
  if (reliability) {
    const { value, known } = reliability.groups[0];
    const text = known[here.vertex] ? `${number(value[here.vertex])} (correlation with the truth, simulated films)` : "unknown";
    parts.push(make("p", { className: "soft", textContent: `Reliability here: ${text}` }));
  }
  $("here").replaceChildren(...parts);
}

function title(atlas, here, mark) {
  const named = mark && atlas.set(mark.set).names[mark.place];
  if (!here) return named;
  const [places] = atlas.places;
  const number = places.of[here.vertex];
  const point = number ? places.names[number - 1] : "a point of the head";
  return named && named !== point ? `${point} (${named})` : point;
}

function pointTable(atlas, kind, { vertex }) {
  const { groups } = atlas.overlay(kind);
  const [reference] = atlas.groups;
  const rows = groups.flatMap((g, i) => {
    const mean = `${number(g.mean[vertex])} ± ${number(g.sd[vertex])}`;
    const difference = g.value ? interval(g.value[vertex], g.low[vertex], g.high[vertex]) : "reference";
    const name = make("th", { scope: "row", textContent: atlas.groups[i].name });
    const row = make("tr", {}, name, make("td", { textContent: mean }), make("td", { textContent: difference }));
    if (!g.value) return [row];
    return [row, make("tr", { className: "tests" }, make("td", { colSpan: 3, textContent: tests(g, vertex) }))];
  });
  const what = kind === "motion" ? "How far it moves, mm" : "Where it lies along the skin's normal, mm";
  const heads = ["", "mean ± SD", `minus ${reference.name} (95 %)`];
  return make(
    "table",
    {},
    make("caption", { textContent: what }),
    make("thead", {}, make("tr", {}, ...heads.map((text) => make("th", { scope: "col", textContent: text })))),
    make("tbody", {}, ...rows),
  );
}

function tests(g, v) {
  return `d ${number(g.d[v])} · p ${pValue(g.p[v])} · corrected ${pValue(g.p_fwe[v])} · q ${pValue(g.q[v])}`;
}

function placeRows(atlas, mark) {
  const rows = atlas.effects.filter((row) => row.set === mark.set && row.place === mark.place);
  return rows.map((row) => make("p", { className: "effect" }, make("b", { textContent: `${effectTitle(row)}, ${contrastText(row, atlas)}: ` }), effectNumbers(row)));
}

// Rows of a contrast, the surest first; those that are beyond chance stand out, and all but the first can be folded out.
export function showEffects(atlas, state, choose) {
  const rows = atlas.effects
    .filter((row) => row.contrast === state.contrast)
    .toSorted((a, b) => (a.p_fwe ?? 1) - (b.p_fwe ?? 1) || Math.abs(b.d ?? 0) - Math.abs(a.d ?? 0))
    .map((row) => effectItem(row, atlas, choose));
  const rest = rows.splice(LISTED);
  const more = make("summary", { textContent: `${rest.length} more` });
  const folded = rest.length ? [make("details", {}, more, make("ol", {}, ...rest))] : [];
  $("effects").replaceChildren(make("ol", {}, ...rows), ...folded);
}

function effectItem(row, atlas, choose) {
  const sure = row.p_fwe !== null && row.p_fwe < atlas.sure;
  const words = [
    make("b", { textContent: `${sure ? "● " : "○ "}${effectTitle(row)}` }),
    make("span", { textContent: effectNumbers(row) }),
  ];
  const shown = row.place === null ? words : [make("button", { type: "button", onclick: () => choose(row) }, ...words)];
  return make("li", { className: sure ? "" : "unsure" }, ...shown);
}
