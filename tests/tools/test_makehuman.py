"""The readers of MakeHuman's files, from which the shipped wardrobe is built."""

import numpy as np
import pytest
from tools.makehuman import read_mhclo, read_obj

from kinepose.io.errors import BadInputError

OBJ = """# a square
v 0 0 0
v 1 0 0
v 1 1 0
v 0 1 0
vt 0 0
vt 1 0
vt 1 1
vt 0.25 1
g cloth
f 1/1 2/2 3/3 4/4
"""
MHCLO = """# a shirt
basemesh hm08
x_scale 0 1 2.0
z_scale 2 3 1.0
y_scale 4 5 0.5
verts 0
 0 1 2 0.5 0.25 0.25 0.1 0.2 -0.3
7
material shirt.mhmat
 3 4 5 1.5 -0.5 0.0 0 0 0

delete_verts
3 5 - 7 9
"""


def test_a_mesh_is_cut_into_triangles(tmp_path):
    path = tmp_path / "a.obj"
    path.write_text(OBJ)
    mesh = read_obj(path)
    np.testing.assert_array_equal(mesh.faces, [[0, 1, 2], [0, 2, 3]])
    np.testing.assert_array_equal(mesh.face_texture, mesh.faces)
    np.testing.assert_array_equal(mesh.texture, [[0, 1], [1, 1], [1, 0], [0.25, 0]])
    assert mesh.groups == ("cloth", "cloth")


def test_a_binding_is_read(tmp_path):
    path = tmp_path / "a.mhclo"
    path.write_text(MHCLO)
    binding = read_mhclo(path, 10)
    np.testing.assert_array_equal(binding.bound, [[0, 1, 2], [7, 7, 7], [3, 4, 5]])
    np.testing.assert_array_equal(binding.weights[1:], [[1, 0, 0], [1.5, -0.5, 0]])
    np.testing.assert_array_equal(binding.offsets[0], [0.1, 0.2, -0.3])
    np.testing.assert_array_equal(binding.measured, [[0, 1], [4, 5], [2, 3]])
    np.testing.assert_array_equal(binding.lengths, [2.0, 0.5, 1.0])
    np.testing.assert_array_equal(binding.hidden, [3, 5, 6, 7, 9])


@pytest.mark.parametrize(
    "broken",
    [
        "",
        OBJ.replace("v 1 1 0", "v one 1 0"),
        OBJ.replace("4/4", "9/4"),
        OBJ.replace("4/4", "4"),
        OBJ.replace("f 1/1 2/2 3/3 4/4", ""),
    ],
)
def test_a_broken_mesh_is_one_clear_line(tmp_path, broken):
    path = tmp_path / "a.obj"
    path.write_text(broken)
    with pytest.raises(BadInputError, match=r"a\.obj") as raised:
        read_obj(path)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "broken",
    [
        "",
        MHCLO.replace("x_scale 0 1 2.0", ""),
        MHCLO.replace("0.1 0.2 -0.3", ""),
        MHCLO.replace("verts 0", "vorts 0"),
        MHCLO.replace(" 3 4 5 ", " 3 4 50 "),
        MHCLO.replace("5 - 7 9", "5 -"),
    ],
)
def test_a_broken_binding_is_one_clear_line(tmp_path, broken):
    path = tmp_path / "a.mhclo"
    path.write_text(broken)
    with pytest.raises(BadInputError, match=r"a\.mhclo") as raised:
        read_mhclo(path, 10)
    assert "\n" not in str(raised.value)


def test_missing_files_are_named(tmp_path):
    with pytest.raises(BadInputError, match=r"none\.obj"):
        read_obj(tmp_path / "none.obj")
    with pytest.raises(BadInputError, match=r"none\.mhclo"):
        read_mhclo(tmp_path / "none.mhclo", 10)
