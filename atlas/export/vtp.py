"""VTK's XML PolyData (``.vtp``): the mesh with numbers at every vertex, for ParaView, VTK and PyVista."""

import base64
from collections.abc import Mapping
from typing import Any
from xml.sax.saxutils import quoteattr

import numpy as np

from atlas.export.mesh import Mesh
from atlas.export.obj import comments

_TYPES = {np.dtype(np.float32): "Float32", np.dtype(np.int32): "Int32", np.dtype(np.uint8): "UInt8"}


def vtp(mesh: Mesh) -> bytes:
    """Points in metres, triangles, ``colours`` (sRGB) and the mesh's arrays at every point; extras as field data."""
    n, f = len(mesh.vertices), len(mesh.faces)
    arrays = {"colours": mesh.colours, **mesh.arrays}
    lines = [
        '<?xml version="1.0" encoding="utf-8"?>',
        '<VTKFile type="PolyData" version="1.0" byte_order="LittleEndian" header_type="UInt64">',
        "<PolyData>",
        *_field_data(mesh.extras),
        f'<Piece NumberOfPoints="{n}" NumberOfPolys="{f}">',
        "<Points>",
        _array("Points", mesh.vertices.astype(np.float32)),
        "</Points>",
        "<Polys>",
        _array("connectivity", mesh.faces.astype(np.int32).ravel()),
        _array("offsets", np.arange(3, 3 * f + 1, 3, dtype=np.int32)),
        "</Polys>",
        "<PointData>",
        *(_array(name, array if array.dtype in _TYPES else array.astype(np.float32)) for name, array in arrays.items()),
        "</PointData>",
        "</Piece>",
        "</PolyData>",
        "</VTKFile>",
    ]
    return ("\n".join(lines) + "\n").encode()


def _array(name: str, array: np.ndarray) -> str:
    """A DataArray in base64: its length in bytes, then its bytes."""
    components = array.shape[1] if array.ndim > 1 else 1
    content = base64.b64encode(np.uint64(array.nbytes).tobytes() + np.ascontiguousarray(array).tobytes()).decode()
    return (
        f'<DataArray type="{_TYPES[array.dtype]}" Name={quoteattr(name)} NumberOfComponents="{components}" '
        f'format="binary">{content}</DataArray>'
    )


def _field_data(extras: Mapping[str, Any]) -> list[str]:
    """One string of all extras, as the codes of its bytes, which is how VTK writes strings as text."""
    codes = " ".join(str(byte) for byte in "; ".join(comments(extras)).encode())
    array = f'<Array type="String" Name="about" NumberOfTuples="1" format="ascii">{codes} 0</Array>'
    return ["<FieldData>", array, "</FieldData>"] if extras else []
