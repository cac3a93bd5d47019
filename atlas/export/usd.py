"""USDZ, the static face for Apple's viewers, Omniverse and Blender; written by OpenUSD (``pip install usd-core``)."""

import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from atlas.export.gltf import GENERATOR
from atlas.export.mesh import WET, Mesh
from reconstruction.errors import InputError
from reconstruction.rendering import srgb_to_linear, vertex_normals

_MIDDAY = 315_576_000  # seconds, 1 January 1980, 12:00 UTC: the first day that a zip file can name


def usdz(mesh: Mesh) -> bytes:
    """A USDZ package: metres, y up, a material a part; the finer colours of vertices are there as ``displayColor``.

    Raises
    ------
    InputError
        OpenUSD is not installed.
    """
    try:
        from pxr import Usd, UsdGeom, UsdUtils
    except ImportError:
        raise InputError(
            "expected OpenUSD for a .usdz file, but it is not installed; run: pip install 'digital-face-atlas[usd]'."
        ) from None
    with tempfile.TemporaryDirectory() as folder:
        layer, package = Path(folder) / "face.usdc", Path(folder) / "face.usdz"
        stage = Usd.Stage.CreateNew(str(layer))
        UsdGeom.SetStageUpAxis(stage, UsdGeom.Tokens.y)
        UsdGeom.SetStageMetersPerUnit(stage, 1.0)
        root = UsdGeom.Xform.Define(stage, "/Face")
        stage.SetDefaultPrim(root.GetPrim())
        stage.GetRootLayer().documentation = f"{GENERATOR}; {mesh.extras.get('statement', '')}"
        root.GetPrim().SetCustomData({name: _plain(value) for name, value in sorted(mesh.extras.items())})
        _define(stage, mesh)
        stage.GetRootLayer().Save()
        os.utime(layer, (_MIDDAY, _MIDDAY))  # the package keeps it: the same content is to give the same bytes
        UsdUtils.CreateNewUsdzPackage(str(layer), str(package))
        return package.read_bytes()


def _define(stage: Any, mesh: Mesh) -> None:
    from pxr import Gf, Sdf, Tf, UsdGeom, UsdShade, Vt

    surface = UsdGeom.Mesh.Define(stage, "/Face/Mesh")
    vertices = mesh.vertices.astype(np.float32)
    surface.CreatePointsAttr(Vt.Vec3fArray.FromNumpy(vertices))
    surface.CreateFaceVertexCountsAttr(Vt.IntArray.FromNumpy(np.full(len(mesh.faces), 3, np.int32)))
    surface.CreateFaceVertexIndicesAttr(Vt.IntArray.FromNumpy(mesh.faces.astype(np.int32).ravel()))
    surface.CreateSubdivisionSchemeAttr(UsdGeom.Tokens.none)
    surface.CreateExtentAttr(Vt.Vec3fArray.FromNumpy(np.stack([vertices.min(0), vertices.max(0)])))
    normals = vertex_normals(vertices.astype(float), mesh.faces).astype(np.float32)
    surface.CreateNormalsAttr(Vt.Vec3fArray.FromNumpy(normals))
    surface.SetNormalsInterpolation(UsdGeom.Tokens.vertex)
    colours = Vt.Vec3fArray.FromNumpy(srgb_to_linear(mesh.colours).astype(np.float32))
    surface.CreateDisplayColorPrimvar(UsdGeom.Tokens.vertex).Set(colours)
    UsdGeom.Scope.Define(stage, "/Face/Materials")
    for part, (triangles, colour) in mesh.of_parts().items():
        name = Tf.MakeValidIdentifier(part)
        material = UsdShade.Material.Define(stage, f"/Face/Materials/{name}")
        shader = UsdShade.Shader.Define(stage, f"/Face/Materials/{name}/Surface")
        shader.CreateIdAttr("UsdPreviewSurface")
        linear = srgb_to_linear(255 * colour)
        shader.CreateInput("diffuseColor", Sdf.ValueTypeNames.Color3f).Set(Gf.Vec3f(*linear.tolist()))
        wet = part in WET
        shader.CreateInput("roughness", Sdf.ValueTypeNames.Float).Set(0.3 if wet else 0.7)
        shader.CreateInput("metallic", Sdf.ValueTypeNames.Float).Set(0.0)
        material.CreateSurfaceOutput().ConnectToSource(shader.ConnectableAPI(), "surface")
        subset = UsdShade.MaterialBindingAPI.Apply(surface.GetPrim()).CreateMaterialBindSubset(
            name, Vt.IntArray.FromNumpy(triangles.astype(np.int32))
        )
        UsdShade.MaterialBindingAPI.Apply(subset.GetPrim()).Bind(material)


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | bool | int | float) else str(value)
