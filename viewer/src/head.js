// One head: a mesh that wears a group's shape, motion and overlay, or a mixture of two groups.

import { BufferAttribute, BufferGeometry, DynamicDrawUsage, Mesh, Scene, Sphere, Vector3 } from "three";

export class Head {
  constructor(atlas, material) {
    this.atlas = atlas;
    const { mesh, size } = atlas;
    const geometry = new BufferGeometry();
    geometry.setIndex(new BufferAttribute(mesh.faces, 1));
    geometry.setAttribute("colour", new BufferAttribute(mesh.colours, 3, true));
    geometry.setAttribute("skin", new BufferAttribute(Float32Array.from(mesh.skin), 1));
    for (const [name, width] of [["position", 3], ["normal", 3], ["share", 1], ["sure", 1], ["mark", 1]]) {
      const attribute = new BufferAttribute(new Float32Array(width * size), width);
      geometry.setAttribute(name, attribute.setUsage(DynamicDrawUsage));
    }
    geometry.boundingSphere = new Sphere(new Vector3(), Infinity); // picking never skips it
    this.geometry = geometry;
    this.mesh = new Mesh(geometry, material);
    this.mesh.frustumCulled = false;
    this.scene = new Scene().add(this.mesh);
  }

  array(name) {
    return this.geometry.attributes[name].array;
  }

  // Vertices are the shapes' mixture plus every direction by its coefficient.
  shape(parts, coefficients, factor) {
    const position = this.array("position").fill(0);
    for (const { neutral, weight } of parts) {
      for (let i = 0; i < position.length; i++) position[i] += weight * neutral[i];
    }
    this.atlas.directions.forEach((direction, r) => {
      const amount = factor * coefficients[r];
      if (amount) for (let i = 0; i < position.length; i++) position[i] += amount * direction[i];
    });
    vertexNormals(position, this.atlas.mesh.faces, this.array("normal").fill(0));
    this.changed("position", "normal");
  }

  changed(...names) {
    for (const name of names) this.geometry.attributes[name].needsUpdate = true;
  }
}

// Sums of the triangles' area-weighted normals; the shader brings them to length one.
function vertexNormals(position, faces, normal) {
  for (let f = 0; f < faces.length; f += 3) {
    const [a, b, c] = [3 * faces[f], 3 * faces[f + 1], 3 * faces[f + 2]];
    const ux = position[b] - position[a], uy = position[b + 1] - position[a + 1], uz = position[b + 2] - position[a + 2];
    const vx = position[c] - position[a], vy = position[c + 1] - position[a + 1], vz = position[c + 2] - position[a + 2];
    const x = uy * vz - uz * vy, y = uz * vx - ux * vz, z = ux * vy - uy * vx;
    for (const v of [a, b, c]) {
      normal[v] += x;
      normal[v + 1] += y;
      normal[v + 2] += z;
    }
  }
}
