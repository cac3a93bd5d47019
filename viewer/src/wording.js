// Numbers and overlays in words, the same in the panel, the legend and the picture.

const MINUS = "\u2212";

export function number(value, finest = 2) {
  const size = Math.abs(value);
  const text = size.toFixed(size < 0.095 ? finest : size < 1 ? 2 : size < 10 ? 1 : 0);
  return (value < 0 && Number(text) > 0 ? MINUS : "") + text;
}

export function pValue(p) {
  return p < 0.001 ? "< 0.001" : p.toFixed(p < 0.1 ? 3 : 2);
}

export function interval(value, low, high, finest) {
  return `${number(value, finest)} (${number(low, finest)} to ${number(high, finest)})`;
}

export function overlayTitle(name) {
  return {
    none: "skin only",
    motion: "difference in movement",
    outward: "difference in average position",
    spread: "spread between people",
    reliability: "reliability of the measurement",
  }[name];
}

// What a colour means, for the legend; `others` are the groups that are compared.
export function overlayMeaning(name, atlas) {
  const reference = atlas.groups[0].name;
  const others = atlas.groups.slice(1).map((group) => group.name);
  const who = others.length > 2 ? "the group" : others.join(" or ");
  const sure = `Outlined: differs beyond chance (p < ${atlas.sure}, corrected for all places). Pale: cannot be told from no difference.`;
  return {
    none: "The mean face of every group, in teaching colours.",
    motion: `How far a place moves, in mm: red more in ${who} than in ${reference}, blue less. ${sure}`,
    outward: `Where a place lies on average, in mm along the skin's normal: red farther out in ${who} than in ${reference}, blue farther in. ${sure}`,
    spread: "How far apart people of one group are in their mean expression, in mm: darker is more. A mean hides this.",
    reliability: "Correlation of what is measured with the truth, in films of simulated people with known motion; grey where unknown.",
  }[name];
}

export function barTicks(overlay) {
  if (overlay.name === "reliability") return ["0", "0.5", "1"];
  const limit = number(overlay.limit);
  return overlay.signed ? [`${MINUS}${limit} mm`, "0", `+${limit} mm`] : ["0", "", `${limit} mm`];
}

export function factorText(factor) {
  return factor === 1 ? "as measured (1×)" : `exaggerated ${factor}×`;
}

export function contrastText(row, atlas) {
  return row.group === null ? `relation to ${row.contrast}` : `${atlas.groups[row.group].name} compared with ${atlas.groups[0].name}`;
}

export function effectTitle(row) {
  const name = row.label === row.name ? row.name : `${row.label} (${row.name})`;
  return row.unit ? `${name}, ${row.unit}` : name;
}

export function effectNumbers(row) {
  const parts = [interval(row.effect, row.low, row.high, 3)];
  if (row.d !== null) parts.push(`${row.group === null ? "r" : "d"} ${number(row.d)}`);
  if (row.p !== null) parts.push(`p ${pValue(row.p)}`);
  if (row.p_fwe !== null) parts.push(`corrected ${pValue(row.p_fwe)}`);
  if (row.q_fdr !== null) parts.push(`q ${pValue(row.q_fdr)}`);
  if (row.reliability !== null) parts.push(`reliability ${number(row.reliability)}`);
  return parts.join(" · ");
}
