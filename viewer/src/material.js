// How a head is drawn: matt skin, or an overlay under even light so that its colours stay readable; lines round places
// that differ beyond chance and round the place that is looked at.

import { DataTexture, LinearFilter, RGBAFormat, ShaderMaterial } from "three";

const vertexShader = /* glsl */ `
  attribute vec3 colour;
  attribute float skin, share, sure, mark;
  varying vec3 vNormal, vView, vColour;
  varying float vSkin, vShare, vSure, vMark;
  void main() {
    vec4 view = modelViewMatrix * vec4(position, 1.0);
    vNormal = normalMatrix * normal;
    vView = -view.xyz;
    vColour = colour;
    vSkin = skin;
    vShare = share;
    vSure = sure;
    vMark = mark;
    gl_Position = projectionMatrix * view;
  }`;

const fragmentShader = /* glsl */ `
  uniform sampler2D map;
  uniform float painted, tested;
  uniform vec3 pale;
  varying vec3 vNormal, vView, vColour;
  varying float vSkin, vShare, vSure, vMark;
  vec3 toLinear(vec3 c) {
    return mix(pow((c + 0.055) / 1.055, vec3(2.4)), c / 12.92, vec3(lessThanEqual(c, vec3(0.04045))));
  }
  float line(float level, float width) { // along the zero of level, in pixels
    return 1.0 - smoothstep(width - 0.5, width + 0.5, abs(level) / max(fwidth(level), 1e-6));
  }
  void main() {
    vec3 normal = normalize(vNormal);
    vec3 colour = toLinear(vColour);
    float onSkin = painted * smoothstep(0.4, 0.6, vSkin);
    vec3 shown = toLinear(texture2D(map, vec2((0.5 + 255.0 * clamp(vShare, 0.0, 1.0)) / 256.0, 0.5)).rgb);
    shown = vShare < -0.001 ? toLinear(vec3(0.6)) : shown; // unknown
    shown = mix(mix(pale, shown, mix(1.0, 0.4, tested)), shown, smoothstep(-0.15, 0.15, vSure));
    colour = mix(colour, shown, onSkin);
    float key = max((dot(normal, normalize(vec3(-0.45, 0.55, 0.70))) + 0.2) / 1.2, 0.0);
    float fill = max(dot(normal, normalize(vView)), 0.0);
    float light = mix(0.42, 0.66, onSkin) + mix(0.68, 0.36, onSkin) * (0.75 * key + 0.25 * fill);
    colour *= light > 1.0 ? 1.0 + 0.25 * tanh((light - 1.0) / 0.25) : light;
    colour = mix(colour, vec3(0.012), 0.85 * tested * onSkin * line(vSure, 1.1));
    colour = mix(colour, toLinear(vec3(1.0, 0.82, 0.0)), line(vMark - 0.5, 1.9));
    gl_FragColor = vec4(colour, 1.0);
    #include <colorspace_fragment>
  }`;

export function headMaterial() {
  return new ShaderMaterial({
    vertexShader,
    fragmentShader,
    uniforms: { map: { value: null }, painted: { value: 0 }, tested: { value: 0 }, pale: { value: [0.92, 0.92, 0.92] } },
  });
}

// 256 colours (sRGB bytes) as a texture; the shader makes them linear.
export function colourTexture(colours) {
  const pixels = new Uint8Array(4 * 256).fill(255);
  for (let i = 0; i < 256; i++) pixels.set(colours.subarray(3 * i, 3 * i + 3), 4 * i);
  const texture = new DataTexture(pixels, 256, 1, RGBAFormat);
  texture.magFilter = texture.minFilter = LinearFilter;
  texture.needsUpdate = true;
  return texture;
}
