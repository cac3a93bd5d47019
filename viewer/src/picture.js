// The picture that is saved: the heads as they stand, with everything one must know to read them printed on it.

import { barTicks, factorText, overlayMeaning } from "./wording.js";

const WIDTH = 1600;
const HEADS = 760; // pixels of height
const MARGIN = 48;
const FONT = 'system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif';

export function drawPicture(atlas, stage, state, captions, headline) {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name).trim();
  const canvas = document.createElement("canvas");
  const context = canvas.getContext("2d");
  const overlay = atlas.overlay(state.overlay);
  const wrap = (text, size, width) => {
    context.font = `${size}px ${FONT}`;
    return text.split(" ").reduce((lines, word) => {
      const longer = lines.length ? `${lines.at(-1)} ${word}` : word;
      if (lines.length && context.measureText(longer).width <= width) return [...lines.slice(0, -1), longer];
      return [...lines, word];
    }, []);
  };
  const title = wrap(headline, 30, WIDTH - 2 * MARGIN);
  const meaning = overlay ? wrap(overlayMeaning(state.overlay, atlas), 22, WIDTH - 2 * MARGIN - 460) : [];
  const notes = wrap(footnote(atlas, state), 20, WIDTH - 2 * MARGIN);
  const top = MARGIN + title.length * 40 + 16;
  const below = top + HEADS + 30;
  const legend = overlay ? Math.max(70, meaning.length * 30) : 0;
  canvas.width = WIDTH;
  canvas.height = below + legend + notes.length * 28 + MARGIN;
  context.fillStyle = colour("--page");
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.fillStyle = colour("--stage");
  context.fillRect(MARGIN, top, WIDTH - 2 * MARGIN, HEADS);

  const before = [stage.width, stage.height, stage.renderer.getPixelRatio()];
  const room = 76; // for a cell's label
  stage.resize(WIDTH - 2 * MARGIN, HEADS, 1);
  stage.draw(room);
  context.drawImage(stage.canvas, MARGIN, top, WIDTH - 2 * MARGIN, HEADS);
  const cells = stage.layout(room);
  stage.resize(...before);

  const write = (lines, x, y, size, step, weight = 400) => {
    context.font = `${weight} ${size}px ${FONT}`;
    lines.forEach((line, i) => context.fillText(line, x, y + i * step));
  };
  context.fillStyle = colour("--ink");
  context.textBaseline = "top";
  write(title, MARGIN, MARGIN, 30, 40);
  context.textAlign = "center";
  cells.forEach((cell, i) => {
    const x = MARGIN + cell.x + cell.width / 2;
    write([captions[i].name], x, top + cell.y + 14, 28, 0, 600);
    write([captions[i].note], x, top + cell.y + 48, 20, 0);
  });
  context.textAlign = "left";
  if (overlay) drawBar(context, atlas, overlay, below, write);
  write(meaning, MARGIN + 460, below, 22, 30);
  write(notes, MARGIN, below + legend + 10, 20, 28);
  return canvas;
}

function drawBar(context, atlas, overlay, y, write) {
  const colours = atlas.colours.get(overlay.map);
  const width = 400;
  for (let x = 0; x < width; x++) {
    const i = 3 * Math.floor((256 * x) / width);
    context.fillStyle = `rgb(${colours[i]},${colours[i + 1]},${colours[i + 2]})`;
    context.fillRect(MARGIN + x, y + 4, 1, 20);
  }
  context.fillStyle = getComputedStyle(document.documentElement).getPropertyValue("--ink").trim();
  barTicks(overlay).forEach((text, i) => {
    context.textAlign = ["left", "center", "right"][i];
    write([text], MARGIN + (i * width) / 2, y + 32, 20, 0);
  });
  context.textAlign = "left";
}

export function footnote(atlas, state) {
  const who = `${atlas.simulated ? "Simulated people" : "People"}: ${atlas.people()}.`;
  const shown = state.stimulus === null ? "over all stimuli" : `stimulus ${state.stimulus}`;
  const moment = state.time === null ? "average" : `at ${state.time.toFixed(1)} s`;
  return `${who} Expression ${factorText(state.exaggeration)}, ${shown}, ${moment}. ${sentence(atlas.statement)} Digital Face Atlas.`;
}

function sentence(text) {
  return `${text[0].toUpperCase()}${text.slice(1).replace(/\.$/, "")}.`;
}
