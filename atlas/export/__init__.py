"""Files people open: meshes (GLB, OBJ, PLY, STL, VTP, USDZ) and arrays (NPZ)."""

from atlas.export.arrays import write_arrays_npz
from atlas.export.face import export_face
from atlas.export.mesh import Mesh, write_mesh
from atlas.export.standard import export_standard_face

__all__ = ["Mesh", "export_face", "export_standard_face", "write_arrays_npz", "write_mesh"]
