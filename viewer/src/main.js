// The viewer: one state, the controls that change it, and what is shown of it.

import { Atlas } from "./atlas.js";
import { $, make, options } from "./dom.js";
import { dress, markPlace, mixture, paint, setOverlay } from "./painting.js";
import { showEffects, showHere } from "./panel.js";
import { drawPicture, footnote } from "./picture.js";
import { Stage } from "./stage.js";
import "./style.css";
import { turnable } from "./turning.js";
import { barTicks, contrastText, factorText, overlayMeaning, overlayTitle } from "./wording.js";

const VIEWS = { front: 0, "three-quarter": 0.61, profile: Math.PI / 2 };

const atlas = new Atlas(JSON.parse($("atlas").textContent));
const last = atlas.groups.length - 1;
const state = {
  overlay: atlas.first.overlay,
  group: atlas.first.group, // of whom the headline speaks
  position: null, // between groups while sliding; null shows all
  stimulus: null, // null: over all
  time: null, // null: the average
  running: false,
  exaggeration: 1,
  same: false,
  places: atlas.places.find((set) => atlas.effects.some((row) => row.set === set.set))?.set ?? atlas.places[0].set,
  mark: null, // {set, place}
  here: null, // {vertex}
  pinned: false,
  contrast: atlas.effects.find((row) => row.group === atlas.first.group)?.contrast ?? atlas.effects[0]?.contrast,
};
const stage = startStage();
let pending = 0;

// --- what is shown of the state ---

function shownParts() {
  if (state.position !== null) return [mixture(atlas, state.position)];
  return atlas.groups.map((_, group) => [{ group, weight: 1 }]);
}

function caption(parts) {
  const groups = parts.map(({ group }) => atlas.groups[group]);
  if (parts.length === 2) {
    const share = Math.round(100 * parts[1].weight);
    return { name: `${groups[0].name} → ${groups[1].name}`, note: `${share} % of the way` };
  }
  const { group } = parts[0];
  const motion = groups[0].motions.find(({ stimulus }) => stimulus === state.stimulus);
  const people = motion ? `${motion.people} people` : `no recording of ${state.stimulus}`;
  return { name: groups[0].name, note: group === 0 ? `reference, ${people}` : people };
}

// The group that the headline speaks of: the one slid to, else the one chosen.
function speaker() {
  return Math.round(state.position ?? 0) || state.group;
}

function headline() {
  const said = atlas.overlay(state.overlay)?.groups[speaker()]?.headline;
  return said ?? `The mean face of each group: ${overlayTitle(state.overlay)}.`;
}

function showHeadline() {
  $("headline").textContent = headline();
  $("also").textContent = atlas.groups[speaker()].surest ?? "";
}

function update({ shape = false, colours = false, mark = false } = {}) {
  shownParts().forEach((parts, i) => {
    if (!stage) return;
    const head = stage.heads[i];
    if (shape) dress(head, parts, state);
    if (colours) paint(head, parts, state);
    if (mark) markPlace(head, state.mark);
  });
  if (colours) showOverlay();
  redraw();
}

function showOverlay() {
  const overlay = atlas.overlay(state.overlay);
  if (stage) setOverlay(stage.material, atlas, overlay);
  showHeadline();
  $("meaning").textContent = overlayMeaning(state.overlay, atlas);
  $("scale").hidden = !overlay;
  if (!overlay) return;
  const colours = atlas.colours.get(overlay.map);
  const bar = $("bar").getContext("2d");
  const pixels = bar.createImageData(256, 1);
  for (let i = 0; i < 256; i++) pixels.data.set([...colours.subarray(3 * i, 3 * i + 3), 255], 4 * i);
  bar.putImageData(pixels, 0, 0);
  $("ticks").replaceChildren(...barTicks(overlay).map((text) => make("span", { textContent: text })));
}

function redraw() {
  if (stage && !pending) pending = requestAnimationFrame(render);
}

let lastTick = null;
function render(now) {
  pending = 0;
  if (state.running) {
    const seconds = lastTick === null ? 0 : (now - lastTick) / 1000;
    lastTick = now;
    state.time = (state.time + seconds) % atlas.duration(state.stimulus);
    shownParts().forEach((parts, i) => dress(stage.heads[i], parts, state));
    showClock();
    redraw();
  }
  stage.shown = shownParts().length;
  stage.draw();
  const labels = stage.layout().map((cell, i) => {
    const { name, note } = caption(shownParts()[i]);
    const label = make("div", {}, make("b", { textContent: name }), make("span", { textContent: note }));
    Object.assign(label.style, { left: `${cell.x}px`, top: `${cell.y}px`, width: `${cell.width}px` });
    return label;
  });
  $("labels").replaceChildren(...labels);
}

function showClock() {
  const playing = state.time !== null;
  const recorded = atlas.trajectories.some((t) => t.stimulus === state.stimulus);
  const what = recorded ? "average course over people" : "from neutral to the mean expression and back; no recorded course";
  const factor = state.exaggeration === 1 ? "" : `expression ${factorText(state.exaggeration)}`;
  const clock = playing ? `${state.time.toFixed(1)} s: ${what}` : "";
  $("clock").textContent = [clock, factor].filter(Boolean).join(" · ");
  $("clock").hidden = !$("clock").textContent;
  $("run").textContent = state.running ? "Pause" : "Play";
  $("time").max = atlas.duration(state.stimulus);
  $("time").value = state.time ?? 0;
  $("average").disabled = !playing;
  $("footer").textContent = footnote(atlas, state);
}

function slideTo(position) {
  state.position = position;
  $("together").setAttribute("aria-pressed", String(position === null));
  if (position !== null) {
    const [from, to] = mixture(atlas, position);
    const share = to ? `, ${Math.round(100 * to.weight)} % towards ${atlas.groups[to.group].name}` : "";
    $("between").setAttribute("aria-valuetext", atlas.groups[from.group].name + share);
  }
  update({ shape: true, colours: true, mark: true });
}

function lookAt(mark, here = null, pinned = false) {
  Object.assign(state, { mark, here, pinned });
  $("places").value = mark && mark.set === state.places ? mark.place : "";
  showHere(atlas, state);
  update({ mark: true });
}

function pointAt(x, y, pin) {
  if (state.pinned && !pin) return;
  stage.shown = shownParts().length;
  const found = stage.pick(x, y);
  if (!found) return lookAt(null);
  const number = atlas.set(state.places).of[found.vertex];
  lookAt(number ? { set: state.places, place: number - 1 } : null, found, pin);
}

// --- the page ---

function startStage() {
  try {
    return new Stage($("canvas"), atlas);
  } catch {
    $("problem").hidden = false;
    $("problem").textContent =
      "This browser cannot draw in three dimensions: WebGL 2 is missing or switched off. The numbers beside and below are all there; " +
      "for the faces use a current Firefox, Chrome, Edge or Safari.";
    return null;
  }
}

function fillPage() {
  $("groups").textContent = atlas.groups.map(({ name }) => name).join(", ");
  $("simulated").hidden = !atlas.simulated;
  $("statement").textContent = atlas.statement;
  $("stage").setAttribute("aria-label", `Standard faces of ${atlas.people()} people`);
  for (const name of ["none", ...atlas.overlays.map((overlay) => overlay.name)]) {
    const radio = make("input", { type: "radio", name: "overlay", value: name, checked: name === state.overlay });
    radio.onchange = () => {
      state.overlay = name;
      update({ colours: true });
      showHere(atlas, state);
    };
    $("overlays").append(make("label", {}, radio, overlayTitle(name)));
  }
  options($("stimulus"), [["", "all, on average"], ...atlas.stimuli.map((name) => [name, name])]);
  options($("sets"), atlas.places.map((set) => [set.set, set.label]));
  $("sets").value = state.places;
  fillPlaces();
  const contrasts = [...new Set(atlas.effects.map((row) => row.contrast))];
  $("surest").hidden = !contrasts.length;
  options($("contrast"), contrasts.map((name) => [name, contrastText(atlas.effects.find((row) => row.contrast === name), atlas)]));
  if (contrasts.length) $("contrast").value = state.contrast;
  $("between").max = last;
  $("slide").hidden = last < 1;
  $("stops").append(...atlas.groups.map(({ name }, group) => stop(name, group)));
  for (const [name, yaw] of Object.entries(VIEWS)) {
    const button = make("button", { type: "button", textContent: name });
    button.onclick = () => {
      if (stage) Object.assign(stage.turn, { yaw, pitch: 0, zoom: 1 });
      redraw();
    };
    $("views").append(button);
  }
  $("factor").textContent = factorText(state.exaggeration);
}

function stop(name, group) {
  const onclick = () => {
    $("between").value = group;
    slideTo(group);
  };
  return make("button", { type: "button", textContent: name, title: name, onclick });
}

function fillPlaces() {
  const { names } = atlas.set(state.places);
  options($("places"), [["", "choose a place…"], ...names.map((name, place) => [place, name])]);
}

function listen() {
  $("between").oninput = (event) => slideTo(Number(event.target.value));
  $("together").onclick = () => slideTo(null);
  $("stimulus").onchange = (event) => {
    state.stimulus = event.target.value || null;
    if (!state.running) state.time = null;
    showClock();
    update({ shape: true });
  };
  $("run").onclick = () => {
    state.running = !state.running;
    state.time ??= 0;
    lastTick = null;
    showClock();
    redraw();
  };
  $("time").oninput = (event) => {
    Object.assign(state, { running: false, time: Number(event.target.value) });
    showClock();
    update({ shape: true });
  };
  $("average").onclick = () => {
    Object.assign(state, { running: false, time: null });
    showClock();
    update({ shape: true });
  };
  $("sets").onchange = (event) => {
    state.places = event.target.value;
    fillPlaces();
    lookAt(null);
  };
  $("places").onchange = ({ target: { value } }) => {
    if (value === "") return lookAt(null);
    const mark = { set: state.places, place: Number(value) };
    lookAt(mark, { vertex: middleOf(mark) }, true);
  };
  $("contrast").onchange = (event) => {
    state.contrast = event.target.value;
    state.group = atlas.effects.find((row) => row.contrast === state.contrast)?.group ?? state.group;
    showHeadline();
    showEffects(atlas, state, chooseEffect);
  };
  $("exaggeration").oninput = (event) => {
    state.exaggeration = Number(event.target.value);
    $("factor").textContent = factorText(state.exaggeration);
    showClock();
    update({ shape: true });
  };
  $("same").onchange = (event) => {
    state.same = event.target.checked;
    update({ shape: true });
  };
  $("theme").onchange = setTheme;
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", setTheme);
  $("save").disabled = !stage;
  $("save").onclick = save;
  if (!stage) return;
  turnable(stage, $("stage"), {
    turned: redraw,
    pointed: (x, y) => pointAt(x, y, false),
    picked: (x, y) => pointAt(x, y, true),
  });
  $("stage").addEventListener("keydown", (event) => event.key === "Escape" && lookAt(null));
  new ResizeObserver(([{ contentRect }]) => {
    stage.resize(contentRect.width, contentRect.height, Math.min(devicePixelRatio, 2));
    stage.draw();
    redraw();
  }).observe($("stage"));
}

function chooseEffect(row) {
  if (row.set !== state.places) {
    $("sets").value = state.places = row.set;
    fillPlaces();
  }
  const mark = { set: row.set, place: row.place };
  lookAt(mark, { vertex: middleOf(mark) }, true);
}

// The vertex of a place that lies nearest to its middle.
function middleOf({ set, place }) {
  const { of } = atlas.set(set);
  const { neutral } = atlas.groups[0];
  const members = [...of.keys()].filter((v) => of[v] === place + 1);
  const middle = [0, 1, 2].map((axis) => members.reduce((sum, v) => sum + neutral[3 * v + axis], 0) / members.length);
  const away = (v) => Math.hypot(...middle.map((m, axis) => neutral[3 * v + axis] - m));
  return members.reduce((best, v) => (away(v) < away(best) ? v : best));
}

function setTheme() {
  const chosen = $("theme").value;
  const dark = chosen === "dark" || (chosen === "auto" && matchMedia("(prefers-color-scheme: dark)").matches);
  document.documentElement.dataset.theme = dark ? "dark" : "light";
}

function save() {
  const picture = drawPicture(atlas, stage, state, shownParts().map(caption), headline());
  redraw();
  picture.toBlob((blob) => {
    const link = make("a", { href: URL.createObjectURL(blob), download: `face-atlas-${state.overlay}.png` });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  }, "image/png");
}

setTheme();
$("together").setAttribute("aria-pressed", "true");
fillPage();
listen();
showClock();
showEffects(atlas, state, chooseEffect);
showHere(atlas, state);
update({ shape: true, colours: true, mark: true });
