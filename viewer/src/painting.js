// What heads wear in a state of the viewer: which groups in which mixture, which overlay, which place marked.

import { colourTexture } from "./material.js";

const OFF_LINE = 0.02;
const EDGE = 0.7; // how far, in natural logarithms, p values are followed round the limit; flat beyond

// [{group, weight}]: one group, or the two neighbours of a position between groups.
export function mixture(atlas, position) {
  const from = Math.min(Math.floor(position), atlas.groups.length - 1);
  const share = position - from;
  return share > 0 ? [{ group: from, weight: 1 - share }, { group: from + 1, weight: share }] : [{ group: from, weight: 1 }];
}

// The groups' coefficients mixed; a group without the stimulus shows no expression.
function motionOf(atlas, parts, state) {
  const none = new Array(atlas.directions.length).fill(0);
  return parts
    .map(({ group, weight }) => ({ weight, values: atlas.motion(group, state.stimulus, state.time) ?? none }))
    .reduce((sum, { weight, values }) => sum.map((total, i) => total + weight * values[i]), none);
}

export function dress(head, parts, state) {
  const { atlas } = head;
  const shapes = parts.map(({ group, weight }) => ({ weight, neutral: atlas.groups[state.same ? 0 : group].neutral }));
  head.shape(shapes, motionOf(atlas, parts, state), state.exaggeration);
}

export function paint(head, parts, state) {
  const { atlas } = head;
  const overlay = atlas.overlay(state.overlay);
  const share = head.array("share").fill(0);
  const sure = head.array("sure").fill(0);
  if (overlay) {
    const middle = overlay.signed ? 0.5 : 0;
    const scale = (overlay.signed ? 0.5 : 1) / overlay.limit;
    share.fill(middle);
    for (const { group, weight } of parts) {
      const { value, p_fwe, known } = overlay.groups[group];
      for (let v = 0; v < share.length; v++) {
        share[v] += weight * scale * (value?.[v] ?? 0);
        const beyond = p_fwe ? Math.log(atlas.sure / Math.max(p_fwe[v], 1e-9)) : -EDGE;
        sure[v] += weight * Math.max(-EDGE, Math.min(EDGE, beyond));
        if (known && !known[v]) share[v] = -1;
      }
    }
    // halfway between sure and unsure lies exactly on the line, everywhere: no line is drawn there
    sure.forEach((level, v) => Math.abs(level) < OFF_LINE && (sure[v] = -OFF_LINE));
    // signed values beyond the limit keep the limit's colour; below zero means unknown
    if (overlay.signed) share.forEach((value, v) => (share[v] = Math.max(0, value)));
  }
  head.changed("share", "sure");
}

export function markPlace(head, mark) {
  const marked = head.array("mark").fill(0);
  if (mark) {
    const { of } = head.atlas.set(mark.set);
    for (let v = 0; v < marked.length; v++) marked[v] = of[v] === mark.place + 1 ? 1 : 0;
  }
  head.changed("mark");
}

const textures = new Map();

export function setOverlay(material, atlas, overlay) {
  const { uniforms } = material;
  uniforms.painted.value = overlay ? 1 : 0;
  uniforms.tested.value = overlay?.signed ? 1 : 0;
  if (!overlay) return;
  if (!textures.has(overlay.map)) textures.set(overlay.map, colourTexture(atlas.colours.get(overlay.map)));
  uniforms.map.value = textures.get(overlay.map);
}
