// The document inside the page: unpacked arrays, and what can be asked of them. Groups go by number, the first is the
// reference. Nothing here touches the page.

const TYPES = { uint8: Uint8Array, uint16: Uint16Array, uint32: Uint32Array, int16: Int16Array };

export function unpack(packed) {
  const bytes = Uint8Array.from(atob(packed.data), (character) => character.charCodeAt(0));
  const numbers = new TYPES[packed.type](bytes.buffer);
  return packed.scale === 1 ? numbers : Float32Array.from(numbers, (number) => number * packed.scale);
}

function unpackAll(object) {
  const out = {};
  for (const [key, value] of Object.entries(object)) out[key] = value?.data === undefined ? value : unpack(value);
  return out;
}

export class Atlas {
  constructor(document) {
    Object.assign(this, document);
    this.mesh = unpackAll(document.mesh);
    this.directions = document.directions.map(unpack);
    this.groups = document.groups.map(unpackAll);
    this.overlays = document.overlays.map((overlay) => ({
      ...overlay,
      groups: document.groups.map((_, group) => unpackAll(overlay.groups?.[group] ?? overlay.all)),
    }));
    this.places = document.places.map((set) => ({ ...set, of: unpack(set.of) }));
    this.trajectories = document.trajectories.map(unpackAll);
    this.colours = new Map(Object.entries(document.maps).map(([name, map]) => [name, unpack(map)]));
    this.size = this.groups[0].neutral.length / 3;
  }

  overlay(name) {
    return this.overlays.find((overlay) => overlay.name === name);
  }

  set(name) {
    return this.places.find((set) => set.set === name);
  }

  people() {
    return this.groups.map((group) => `${group.name} ${group.people}`).join(", ");
  }

  // The group's average motion over a stimulus, or undefined.
  trajectory(group, stimulus) {
    return this.trajectories.find((t) => t.group === group && t.stimulus === stimulus);
  }

  // Seconds that a stimulus is played for; where no group has a trajectory, one swing from neutral to the mean and back.
  duration(stimulus) {
    const found = this.trajectories.filter((t) => t.stimulus === stimulus).map((t) => t.seconds.at(-1));
    return found.length ? Math.max(...found) : SWING;
  }

  // Coefficients of a group's motion; `time` null is the average. Undefined where the group was not recorded.
  motion(group, stimulus, time) {
    const mean = this.groups[group].motions.find((motion) => motion.stimulus === stimulus);
    if (time === null || !mean) return mean?.values;
    const trajectory = this.trajectory(group, stimulus);
    if (trajectory) return at(trajectory, time, this.directions.length);
    const share = 0.5 - 0.5 * Math.cos((2 * Math.PI * time) / SWING);
    return mean.values.map((value) => share * value);
  }
}

const SWING = 4; // seconds

function at(trajectory, time, width) {
  const { seconds, values } = trajectory;
  const next = seconds.findIndex((second) => second >= time);
  const to = next < 0 ? seconds.length - 1 : next;
  const from = Math.max(to - 1, 0);
  const share = to === from ? 0 : Math.min((time - seconds[from]) / (seconds[to] - seconds[from]), 1);
  return Array.from({ length: width }, (_, i) => {
    const [a, b] = [values[from * width + i], values[to * width + i]];
    return a + share * (b - a);
  });
}
