"""Files people open: meshes (GLB, OBJ, PLY) and arrays (NPZ)."""

from atlas.export.arrays import write_arrays_npz
from atlas.export.face import export_face
from atlas.export.mesh import write_mesh

__all__ = ["export_face", "write_arrays_npz", "write_mesh"]
