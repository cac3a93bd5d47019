// The stage: all heads under one camera, a cell each, drawn only when something has changed.

import { PerspectiveCamera, Raycaster, Vector2, Vector3, WebGLRenderer } from "three";

import { Head } from "./head.js";
import { headMaterial } from "./material.js";

const DISTANCE = 1.2; // metres from the middle of the head
const SHAPE = 0.8; // width of a head in its cell against its height, from any side
const TOP = 46; // pixels of a cell that its label takes

export class Stage {
  constructor(canvas, atlas) {
    this.canvas = canvas;
    this.atlas = atlas;
    this.renderer = new WebGLRenderer({ canvas, alpha: true, antialias: true });
    this.renderer.setScissorTest(true);
    this.material = headMaterial();
    this.heads = atlas.groups.map(() => new Head(atlas, this.material));
    const { middle, radius } = bounds(atlas.groups[0].neutral);
    this.middle = middle;
    this.radius = radius;
    this.camera = new PerspectiveCamera(20, 1, 0.1, 5);
    this.raycaster = new Raycaster();
    this.shown = 1;
    this.turn = { yaw: 0, pitch: 0, zoom: 1 };
  }

  // Cells of `count` heads in an area, so that heads are as large as they can be: [{x, y, width, height}], y downwards.
  static cells(count, width, height, top = TOP) {
    let best = { size: -1 };
    for (let columns = 1; columns <= count; columns++) {
      const rows = Math.ceil(count / columns);
      const [w, h] = [width / columns, height / rows];
      const size = Math.min(w / SHAPE, h - top);
      if (size > best.size) best = { size, columns, rows, w, h };
    }
    return Array.from({ length: count }, (_, i) => {
      const row = Math.floor(i / best.columns);
      const inRow = Math.min(best.columns, count - row * best.columns);
      const left = (width - inRow * best.w) / 2;
      return { x: left + (i % best.columns) * best.w, y: row * best.h, width: best.w, height: best.h };
    });
  }

  resize(width, height, ratio) {
    this.renderer.setPixelRatio(ratio);
    this.renderer.setSize(width, height, false);
    this.width = width;
    this.height = height;
  }

  layout(top = TOP) {
    return Stage.cells(this.shown, this.width, this.height, top);
  }

  // The camera of a cell; a strip of `top` pixels over the head stays free.
  aim(cell, top) {
    const { yaw, pitch, zoom } = this.turn;
    const { camera, middle } = this;
    const free = Math.min(cell.height - top, cell.width / SHAPE);
    const perPixel = (2 * this.radius * 1.04) / (free * zoom); // metres at the middle of the head
    camera.aspect = cell.width / cell.height;
    camera.fov = (360 / Math.PI) * Math.atan((perPixel * cell.height) / 2 / DISTANCE);
    camera.position.set(Math.sin(yaw) * Math.cos(pitch), Math.sin(pitch), Math.cos(yaw) * Math.cos(pitch));
    camera.position.multiplyScalar(DISTANCE).add(middle);
    camera.lookAt(middle);
    camera.setViewOffset(cell.width, cell.height, 0, -top / 2, cell.width, cell.height);
    camera.updateMatrixWorld();
  }

  draw(top = TOP) {
    const { renderer } = this;
    renderer.setScissor(0, 0, this.width, this.height);
    renderer.clear();
    this.layout(top).forEach((cell, i) => {
      const bottom = this.height - cell.y - cell.height;
      renderer.setViewport(cell.x, bottom, cell.width, cell.height);
      renderer.setScissor(cell.x, bottom, cell.width, cell.height);
      this.aim(cell, top);
      renderer.render(this.heads[i].scene, this.camera);
    });
  }

  // What lies under a point of the canvas: {head, vertex}, or null.
  pick(x, y) {
    const cells = this.layout();
    const head = cells.findIndex((c) => x >= c.x && x < c.x + c.width && y >= c.y && y < c.y + c.height);
    if (head < 0) return null;
    const cell = cells[head];
    this.aim(cell, TOP);
    const point = new Vector2((2 * (x - cell.x)) / cell.width - 1, 1 - (2 * (y - cell.y)) / cell.height);
    this.raycaster.setFromCamera(point, this.camera);
    const [hit] = this.raycaster.intersectObject(this.heads[head].mesh);
    if (!hit) return null;
    const position = this.heads[head].geometry.attributes.position;
    const corner = new Vector3();
    const corners = [hit.face.a, hit.face.b, hit.face.c];
    const away = corners.map((v) => corner.fromBufferAttribute(position, v).distanceToSquared(hit.point));
    return { head, vertex: corners[away.indexOf(Math.min(...away))] };
  }
}

// Middle of a head, and half of its height, metres.
function bounds(positions) {
  const low = [Infinity, Infinity, Infinity];
  const high = [-Infinity, -Infinity, -Infinity];
  positions.forEach((value, i) => {
    low[i % 3] = Math.min(low[i % 3], value);
    high[i % 3] = Math.max(high[i % 3], value);
  });
  return { middle: new Vector3(...low.map((l, i) => (l + high[i]) / 2)), radius: (high[1] - low[1]) / 2 };
}
