"""Wavefront OBJ with materials (MTL), and PLY's comments."""

import io
import json
from collections.abc import Mapping
from typing import Any

from atlas.export.gltf import GENERATOR
from atlas.export.mesh import WET, Mesh


def comments(extras: Mapping[str, Any]) -> list[str]:
    """A line each, whatever a value holds."""
    values = {key: v if isinstance(v, str) else json.dumps(v, ensure_ascii=False) for key, v in sorted(extras.items())}
    return [f"{key}: {' '.join(value.split())}" for key, value in values.items()]


def obj(mesh: Mesh, materials: str) -> bytes:
    """Triangles in groups by part, each with its material; vertices as the widely read ``v x y z r g b``, sRGB in 0..1.

    materials : name of the MTL file beside it
    """
    text = io.StringIO()
    for line in (GENERATOR, *comments(mesh.extras), "metres; colours sRGB, by vertex and, flat, by material"):
        text.write(f"# {line}\n")
    text.write(f"mtllib {materials}\no face\n")
    for (x, y, z), (r, g, b) in zip(mesh.vertices.tolist(), (mesh.colours / 255).tolist(), strict=True):
        text.write(f"v {x:.6f} {y:.6f} {z:.6f} {r:.4f} {g:.4f} {b:.4f}\n")
    for name, (triangles, _) in mesh.of_parts().items():
        text.write(f"g {name}\nusemtl {name}\n")
        for a, b, c in (mesh.faces[triangles] + 1).tolist():
            text.write(f"f {a} {b} {c}\n")
    return text.getvalue().encode()


def mtl(mesh: Mesh) -> bytes:
    """A material a part: its mean colour, matte but for wet eyes, lips and teeth."""
    text = io.StringIO()
    text.write(f"# {GENERATOR}; colours sRGB\n")
    for name, (_, (r, g, b)) in mesh.of_parts().items():
        shine, exponent = (0.3, 80) if name in WET else (0.05, 10)
        text.write(f"\nnewmtl {name}\nKd {r:.4f} {g:.4f} {b:.4f}\nKs {shine} {shine} {shine}\nNs {exponent}\nillum 2\n")
    return text.getvalue().encode()
