// Turning the heads together and pointing at them: mouse, touch, pen and keyboard.

const PER_PIXEL = 0.009; // radians
const STEP = Math.PI / 24;
const STILL = 5; // pixels a pointer may move and still be a click

export function turnable(stage, element, { turned, pointed, picked }) {
  const pointers = new Map();
  let travelled = 0;
  let spread = 0;

  const place = (event) => {
    const box = element.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  const turnBy = (yaw, pitch) => {
    const { turn } = stage;
    turn.yaw = Math.atan2(Math.sin(turn.yaw + yaw), Math.cos(turn.yaw + yaw));
    turn.pitch = Math.max(-1.2, Math.min(1.2, turn.pitch + pitch));
    turned();
  };
  const zoomBy = (factor) => {
    stage.turn.zoom = Math.max(0.6, Math.min(5, stage.turn.zoom * factor));
    turned();
  };
  const between = () => {
    const [[ax, ay], [bx, by]] = [...pointers.values()];
    return Math.hypot(ax - bx, ay - by);
  };

  element.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    element.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, [event.clientX, event.clientY]);
    travelled = pointers.size > 1 ? STILL : 0;
    if (pointers.size === 2) spread = between();
  });
  element.addEventListener("pointermove", (event) => {
    const last = pointers.get(event.pointerId);
    if (!last) {
      if (event.pointerType === "mouse") pointed(...place(event));
      return;
    }
    const [dx, dy] = [event.clientX - last[0], event.clientY - last[1]];
    pointers.set(event.pointerId, [event.clientX, event.clientY]);
    if (pointers.size === 2) {
      const now = between();
      if (spread > 0) zoomBy(now / spread);
      spread = now;
      return;
    }
    travelled += Math.hypot(dx, dy);
    if (travelled < STILL) return;
    element.classList.add("turning");
    turnBy(-dx * PER_PIXEL, dy * PER_PIXEL);
  });
  const lift = (event) => {
    if (!pointers.delete(event.pointerId)) return;
    element.classList.remove("turning");
    if (event.type === "pointerup" && travelled < STILL) picked(...place(event));
  };
  element.addEventListener("pointerup", lift);
  element.addEventListener("pointercancel", lift);
  element.addEventListener("pointerleave", (event) => {
    if (event.pointerType === "mouse" && !pointers.size) pointed(-1, -1);
  });
  element.addEventListener(
    "wheel",
    (event) => {
      if (!event.ctrlKey) return; // the page scrolls; pinching a touchpad comes with ctrl
      event.preventDefault();
      zoomBy(Math.exp(-event.deltaY / 200));
    },
    { passive: false },
  );
  element.addEventListener("keydown", (event) => {
    const keys = {
      ArrowLeft: () => turnBy(-STEP, 0),
      ArrowRight: () => turnBy(STEP, 0),
      ArrowUp: () => turnBy(0, STEP),
      ArrowDown: () => turnBy(0, -STEP),
      "+": () => zoomBy(1.15),
      "=": () => zoomBy(1.15),
      "-": () => zoomBy(1 / 1.15),
      Home: () => {
        Object.assign(stage.turn, { yaw: 0, pitch: 0, zoom: 1 });
        turned();
      },
    };
    if (event.ctrlKey || event.metaKey || event.altKey || !keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
  });
}
