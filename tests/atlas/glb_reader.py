"""A reader of GLB files for the tests, written after the specification alone."""

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np

_KINDS = {5121: np.uint8, 5123: np.uint16, 5125: np.uint32, 5126: np.float32}
_WIDTHS = {"SCALAR": 1, "VEC3": 3, "VEC4": 4}


class Glb:
    """tree : the JSON chunk; `array` reads an accessor and checks its bounds."""

    def __init__(self, path: Path):
        content = path.read_bytes()
        magic, version, length, size, kind = struct.unpack("<4sIII4s", content[:20])
        assert (magic, version, length, kind) == (b"glTF", 2, len(content), b"JSON")
        self.tree: dict[str, Any] = json.loads(content[20 : 20 + size])
        self.binary = content[28 + size :]
        assert struct.unpack("<I4s", content[20 + size : 28 + size]) == (len(self.binary), b"BIN\0")

    def array(self, number: int) -> np.ndarray:
        accessor = self.tree["accessors"][number]
        kind, width, count = _KINDS[accessor["componentType"]], _WIDTHS[accessor["type"]], accessor["count"]
        values = np.zeros(count * width, kind)
        if "bufferView" in accessor:
            view = self.tree["bufferViews"][accessor["bufferView"]]
            start = view["byteOffset"]
            values = np.frombuffer(self.binary[start : start + view["byteLength"]], kind)
        values = values.reshape(count, width) if width > 1 else values
        if "min" in accessor:
            np.testing.assert_array_equal(np.float32(accessor["min"]), np.atleast_1d(values.min(0)))
            np.testing.assert_array_equal(np.float32(accessor["max"]), np.atleast_1d(values.max(0)))
        if accessor.get("normalized"):
            return values / np.iinfo(kind).max
        return values

    @property
    def primitives(self) -> list[dict[str, Any]]:
        return self.tree["meshes"][0]["primitives"]

    def positions(self, primitive: int = 0) -> np.ndarray:
        return self.array(self.primitives[primitive]["attributes"]["POSITION"])

    def morphs(self, primitive: int = 0) -> dict[str, np.ndarray]:
        """Deltas by name; nothing but positions."""
        names = self.tree["meshes"][0]["extras"]["targetNames"]
        targets = self.primitives[primitive]["targets"]
        assert len(names) == len(targets) == len(self.tree["meshes"][0]["weights"])
        assert all(list(target) == ["POSITION"] for target in targets)
        return {name: self.array(target["POSITION"]) for name, target in zip(names, targets, strict=True)}

    def posed(self, weights: np.ndarray, primitive: int = 0) -> np.ndarray:
        return self.positions(primitive) + np.tensordot(weights, np.stack(list(self.morphs(primitive).values())), 1)

    def clips(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Times (T,) and weights (T, K) of every animation by name."""
        out = {}
        for animation in self.tree.get("animations", []):
            (channel,), (sampler,) = animation["channels"], animation["samplers"]
            assert channel == {"sampler": 0, "target": {"node": 0, "path": "weights"}}
            time_s, weights = self.array(sampler["input"]), self.array(sampler["output"])
            out[animation["name"]] = time_s, weights.reshape(len(time_s), -1)
        return out

    def shown(self, variant: int | None = None) -> list[int]:
        """The primitives drawn, by default and in a variant."""
        out = []
        for number, primitive in enumerate(self.primitives):
            material = primitive["material"]
            if variant is not None:
                mappings = primitive["extensions"]["KHR_materials_variants"]["mappings"]
                (material,) = [m["material"] for m in mappings if variant in m["variants"]]
            described = self.tree["materials"][material]
            if described.get("alphaMode") != "MASK" or described["pbrMetallicRoughness"]["baseColorFactor"][3] > 0:
                out.append(number)
        return out
