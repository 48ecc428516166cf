"""Arrays that lie: poses, labels, renders and images get one line."""

import os
import shutil
import struct
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.bad_input.good_inputs import ROWS, labels, npz_with, poses

from kinepose.artifacts.pose_files import (
    VideoPoses,
    read_labels,
    read_poses,
    write_labels,
    write_poses,
)
from kinepose.artifacts.run_folder import read_last_images
from kinepose.dataset.renders import load_prior
from kinepose.io.array_files import map_npy, read_npz
from kinepose.io.errors import BadInputError


def npz_with_head(path, name, head, body=b""):
    """The same archive, one array of which says something else of itself."""
    with zipfile.ZipFile(path) as archive:
        members = {each: archive.read(each) for each in archive.namelist()}
    head = head.encode() + b" " * (-(len(head) + 11) % 64) + b"\n"
    members[f"{name}.npy"] = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head + body
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for each, data in members.items():
            archive.writestr(each, data)


def patched(path, offset_local, offset_central, value):
    """Every member of a zip with another number in its two heads."""
    data = bytearray(path.read_bytes())
    for mark, offset in ((b"PK\x03\x04", offset_local), (b"PK\x01\x02", offset_central)):
        start = data.find(mark)
        while start >= 0:
            struct.pack_into("<H", data, start + offset, value)
            start = data.find(mark, start + 4)
    path.write_bytes(bytes(data))


F4 = "{'descr': '<f4', 'fortran_order': False, 'shape': %s, }"
LYING_ARRAYS = {
    "words": lambda p: npz_with(p, joints2d=np.full((ROWS, 17, 2), "word")),
    "a row less": lambda p: npz_with(p, root=np.zeros((ROWS - 1, 3), np.float32)),
    "a dimension more": lambda p: npz_with(p, track=np.zeros((1, ROWS), np.int64)),
    "one number": lambda p: npz_with(p, joints3d=np.float32(3)),
    "complex": lambda p: npz_with(p, confidence=np.zeros((ROWS, 17), complex)),
    "nan": lambda p: npz_with(p, joints3d=poses().joints3d * np.nan),
    "too large for float32": lambda p: npz_with(p, joints3d=np.full((ROWS, 17, 3), 1e300)),
    "inf where nan may be": lambda p: npz_with(p, energy=np.full(ROWS, np.inf, np.float32)),
    "below its range": lambda p: npz_with(p, fps=np.float32(-1)),
    "above its range": lambda p: npz_with(p, fps=np.float32(1e30)),
    "a frame of next century": lambda p: npz_with(p, frame=np.arange(ROWS) + 2**40),
    "an empty box": lambda p: npz_with(p, box=np.zeros((ROWS, 4), np.float32)),
    "another version": lambda p: npz_with(p, format_version=np.int64(99)),
    "other joints": lambda p: npz_with(p, joint_names=np.array(["knee"])),
    "a lone surrogate": lambda p: npz_with(p, video=np.array("\udcff")),
    "an object": lambda p: npz_with(p, video=np.array({"a": 1}, object)),
    "4 TB": lambda p: npz_with_head(p, "box", F4 % "(1099511627776,)", bytes(64)),
    "4 TB that fit together": lambda p: npz_with_head(p, "focal", F4 % f"({2**40},)", bytes(64)),
    "10^30 rows": lambda p: npz_with_head(p, "box", F4 % f"({10**30}, 4)"),
    "-1 rows": lambda p: npz_with_head(p, "box", F4 % "(-1, 4)"),
    "a nested head": lambda p: npz_with_head(p, "box", "(" * 4000),
    "a program": lambda p: npz_with_head(p, "box", "__import__('os').system('touch sprung')"),
    "encrypted": lambda p: patched(p, 6, 8, 1),
    "packed in way 99": lambda p: patched(p, 8, 10, 99),
    "version 99 of zip": lambda p: patched(p, 4, 6, 99),
    "cut off": lambda p: p.write_bytes(p.read_bytes()[:700]),
    "a bare array": lambda p: np.save(p.open("wb"), np.zeros(3)),
    "empty": lambda p: p.write_bytes(b""),
    "a folder": lambda p: (p.unlink(), p.mkdir()),
    "a pipe": lambda p: (p.unlink(), os.mkfifo(p)),
    "a device": lambda p: (p.unlink(), p.symlink_to("/dev/zero")),
    "a link to itself": lambda p: (p.unlink(), p.symlink_to(p.name)),
    "missing": lambda p: p.unlink(),
}


@pytest.mark.parametrize("lie", LYING_ARRAYS)
def test_poses_that_lie_are_one_line(lie, refused, place):
    LYING_ARRAYS[lie](place / "poses.npz")
    assert "poses.npz" in refused("export", "poses.npz", "--formats", "json", "--output", "out")
    assert not (place / "sprung").exists()


def test_labels_renders_and_images_are_read_by_schemas_too(place):
    npz_with(place / "labels.npz", track=np.int64(3))
    with pytest.raises(BadInputError, match=r"labels\.npz: track is int64 \(\), not int64 \(5\)"):
        read_labels(place / "labels.npz")
    for lie, says in (
        (np.zeros((ROWS, 17, 3)), "a body without size"),
        (np.full((ROWS, 17, 3), 1e30), "too high"),
    ):
        write_labels(place / "labels.npz", labels())
        npz_with(place / "labels.npz", joints3d=lie)
        with pytest.raises(BadInputError, match=rf"labels\.npz: joints3d holds .*{says}"):
            read_labels(place / "labels.npz")
    (place / "run/images").mkdir()
    np.savez(place / "run/images/step_00000001.npz", source=np.zeros(3))
    with pytest.raises(BadInputError, match="holds no images of a run: it lacks appearance_im"):
        read_last_images(place / "run")


def test_what_is_written_is_read_again_whatever_kind_of_float_it_is(place):
    npz_with(place / "poses.npz", joints3d=poses().joints3d.astype(">f8"), box=poses().box[:, ::1])
    assert np.array_equal(read_poses(place / "poses.npz").joints3d, poses().joints3d)
    fortran = np.asfortranarray(np.arange(12.0).reshape(3, 4))
    np.savez(place / "f.npz", a=fortran)
    schema = {"a": VideoPoses.__annotations__["focal"]}
    with pytest.raises(BadInputError, match=r"a is float64 \(3, 4\), not float32 \(rows\)"):
        read_npz(place / "f.npz", schema, "numbers")


@settings(
    max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(st.data())
def test_flipped_bytes_of_poses_are_poses_or_one_line(place, data):
    good = (place / "labels.npz").read_bytes()
    changed = bytearray(good)
    for start in data.draw(st.lists(st.integers(0, len(good) - 1), min_size=1, max_size=6)):
        changed[start] = data.draw(st.integers(0, 255))
    path = place / "changed.npz"
    path.write_bytes(bytes(changed[: data.draw(st.integers(1, len(good)))]))
    try:
        held = read_labels(path)
    except BadInputError as error:
        assert "\n" not in str(error) and "changed.npz" in str(error)
    else:
        assert np.isfinite(held.joints3d).all() and len(held.frame) == len(held.joints2d)


def test_files_that_are_mapped_into_memory_are_checked_too(place):
    hint = VideoPoses.__annotations__["joints3d"]
    path = place / "kept.npy"
    for lie in (
        lambda: np.save(path, np.zeros((2, 17, 4), np.float32)),
        lambda: np.save(path, np.array([{}], object)),
        lambda: np.savez(path.open("wb"), a=np.zeros(3)),
        lambda: (np.save(path, np.zeros((9, 17, 3), np.float32)), os.truncate(path, 500)),
        lambda: path.write_bytes(b""),
    ):
        lie()
        with pytest.raises(BadInputError, match=r"kept\.npy"):
            map_npy(path, hint, "kept")
    np.save(path, np.ones((2, 17, 3), np.float32))
    assert map_npy(path, hint, "kept").sum() == 102


def test_poses_that_are_not_finite_are_never_written(place):
    with pytest.raises(BadInputError, match="joints3d holds numbers that are not finite"):
        write_poses(place / "bad.npz", replace(poses(), joints3d=poses().joints3d * np.inf))
    assert not (place / "bad.npz").exists()


def test_renders_of_other_numbers_become_those_of_the_model(prior, tmp_path):
    path = shutil.copy(prior, tmp_path / "prior.npz")
    npz_with(path, joints2d=np.zeros((4, 17, 2), np.uint8))
    assert load_prior(path).joints2d.dtype == np.float32
