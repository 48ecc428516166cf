"""Clips of the user that are odd or broken, and what people do who show them."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.synthetic.test_mocap_files import (
    ADULT,
    OFFSETS,
    PENDULUM,
    STYLES,
    read_one,
    write_amass,
    write_bvh,
)

from kinepose.io.errors import BadInputError
from kinepose.synthetic.config import MotionConfig
from kinepose.synthetic.mocap_clips import captured_clips
from kinepose.synthetic.mocap_files import clips_in
from kinepose.synthetic.motion import Motion, mirror
from kinepose.synthetic.motion_sampling import random_motion
from kinepose.synthetic.scene import place


def test_only_those_who_leap_leave_the_ground(tmp_path):
    clips = captured_clips()
    for name, motion in clips.items():
        write_bvh(tmp_path / f"{name}.bvh", motion, STYLES["cgspeed"])
    leaps = {name for name, motion in clips_in(tmp_path).items() if motion.flight.max() > 0}
    flying = {"backflip", "jump", "run", "spin", "spinkick"}
    assert {f"{name}.bvh" for name in flying} <= leaps
    assert leaps.isdisjoint({"walk.bvh", "punch.bvh", "crawl.bvh", "kick.bvh"})


def test_a_first_frame_without_rotations_is_left_out(tmp_path):
    motion = captured_clips()["punch"]
    path = write_bvh(tmp_path / "clip.bvh", motion, STYLES["cgspeed"])
    text = path.read_text()
    frame = next(line for line in text.splitlines() if line.startswith("Frame Time"))
    rest = " ".join(["0"] * (3 + 3 * len(OFFSETS)))
    text = text.replace(f"Frames: {len(motion.root)}", f"Frames: {len(motion.root) + 1}")
    path.write_text(text.replace(frame, f"{frame}\n{rest}"))
    assert len(read_one(path).root) == len(motion.root)


def test_people_do_what_the_clips_of_the_user_show(tmp_path):
    """Feet on the floor too, whatever the clip's origin."""
    motion = captured_clips()["jump"]
    (tmp_path / "mine").mkdir()
    high = Motion(motion.rotations, motion.root + torch.tensor([5.0, 0.0, 0.7]), motion.flight)
    write_bvh(tmp_path / "mine" / "hop.bvh", high, STYLES["mixamo"])
    config = MotionConfig(
        clips=tmp_path, only=("walk",), mixed=0.0, procedural=0.0, locomotion=0.0, perturbation=0.0
    )
    generator = np.random.default_rng(0)
    read = read_one(tmp_path / "mine" / "hop.bvh")
    seen = [random_motion(generator, 30, 30.0, config) for _ in range(6)]
    nearest = torch.cat([distances_to(read, motion) for motion in seen])
    assert (nearest < 0.05).float().mean() > 0.2, "they hop"
    assert (nearest > 0.1).float().mean() > 0.1, "and they walk"
    actor = place(read, ADULT, 30.0)
    height = actor.vertices[..., 2].amin(1)
    assert height.min() > -1e-4 and height[:5].max() < 0.01 and height.max() > 0.2


def distances_to(clip: Motion, motion: Motion) -> torch.Tensor:
    """Of each pose from the nearest of a clip or of its mirror image [rad, mean of the joints]."""
    poses = torch.cat([clip.rotations, mirror(clip).rotations])[:, 1:]
    cosines = (motion.rotations[:, None, 1:] * poses).sum(-1).abs().clamp(max=1)
    return (2 * cosines.acos()).mean(-1).amin(1)


def bad_bvh(old: str, new: str):
    def write(folder: Path) -> None:
        path = write_bvh(folder / "clip.bvh", captured_clips()["punch"], STYLES["cgspeed"])
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    return write


def bad_amass(**others: object):
    def write(folder: Path) -> None:
        write_amass(folder / "clip.npz", captured_clips()["punch"], **others)

    return write


def amass_with(name: str, value: float):
    """One number of the third frame is another."""

    def write(folder: Path) -> None:
        path = write_amass(folder / "clip.npz", captured_clips()["punch"])
        changed = np.load(path)[name]
        changed[3, 2] = value
        write_amass(path, captured_clips()["punch"], **{name: changed})

    return write


def bvh_with(value: str, column: int):
    """One number of the last frame is another."""

    def write(folder: Path) -> None:
        path = write_bvh(folder / "clip.bvh", captured_clips()["punch"], STYLES["cgspeed"])
        *lines, last = path.read_text().splitlines()
        numbers = last.split()
        numbers[column] = value
        path.write_text("\n".join([*lines, " ".join(numbers)]) + "\n")

    return write


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda folder: None, "no clips"),
        (lambda folder: (folder / "shape.npz").touch(), "no clips"),
        (lambda folder: (folder / "a.bvh").write_text(PENDULUM), "no hips"),
        (bad_bvh("Foot", "Paw"), "no hips: it has no left foot"),
        (bad_bvh("RightHand", "RightHoof"), "no shoulders: it has no right hand"),
        (bad_bvh("Head", "Skull"), "no head"),
        (bad_bvh("HIERARCHY\nROOT", "HIERARCHY\nBRANCH"), "no BVH file"),
        (bad_bvh("Frame Time: 0.033333\n", "Frame Time: 0.033333\nnonsense\n"), "no BVH file"),
        (bad_bvh("Frames: 64", "Frames: 65"), "no BVH file"),
        (bad_bvh("Frame Time: 0.033333\n", "Frame Time: 0.033333\nnan "), "no BVH file|not finite"),
        (lambda folder: (folder / "a.bvh").write_bytes(bytes(range(256))), "no BVH file"),
        (lambda folder: (folder / "a.bvh").write_text(""), "no BVH file"),
        *((bvh_with(value, column), "not finite") for value in ("nan", "inf") for column in (0, 9)),
        (bvh_with("1e30", 0), "farther off than 100 km"),
        (bad_bvh("Frame Time: 0.033333", "Frame Time: 0"), "no BVH file"),
        (bad_bvh("Frame Time: 0.033333", "Frame Time: 1e-320"), "no BVH file"),
        (bad_bvh("Frame Time: 0.033333", "Frame Time: 1e9"), "1e-09 frames a second"),
        (bad_bvh("OFFSET 10.000000 -5", "OFFSET nan -5"), "of the skeleton is not finite"),
        *((amass_with("poses", value), "not finite") for value in (np.nan, np.inf)),
        *((amass_with("trans", value), "not finite") for value in (np.nan, -np.inf)),
        (amass_with("trans", 1e300), "farther off than 100 km"),
        (bad_amass(trans=None), "lacks trans"),
        (bad_amass(poses=None), "lacks poses"),
        (bad_amass(mocap_framerate=None), "lacks mocap_framerate"),
        (bad_amass(mocap_framerate=0.0), "mocap_framerate holds 0"),
        (bad_amass(poses=np.zeros((64, 165))), "another body model: 165 numbers"),
        (bad_amass(surface_model_type="smplx"), "another body model, smplx"),
        (
            bad_amass(poses=np.zeros((63, 156))),
            r"\(64, 3\), not float64 \(63, 3\)",
        ),
        (bad_amass(mocap_framerate=np.array([30.0, 60.0])), "mocap_framerate holds 2 numbers"),
        (bad_amass(poses=np.zeros((0, 156)), trans=np.zeros((0, 3))), "no frames"),
        (bad_amass(poses=np.array([{"pickled": 1}], dtype=object)), "poses is no plain array"),
        (lambda folder: (folder / "a.npz").write_bytes(pickle.dumps({"poses": 1})), "npz"),
        (lambda folder: (folder / "a.npz").write_bytes(b"PK\x03\x04broken"), "npz"),
    ],
)
def test_bad_input_is_told_in_one_line(tmp_path, write, message):
    write(tmp_path)
    with pytest.raises(BadInputError, match=message) as error:
        clips_in(tmp_path)
    assert str(tmp_path) in str(error.value) and "\n" not in str(error.value)


def test_no_folder_and_no_such_clip(tmp_path):
    with pytest.raises(BadInputError, match="no such folder"):
        clips_in(tmp_path / "nowhere")
    with pytest.raises(BadInputError, match="only fly: the package has only backflip"):
        random_motion(np.random.default_rng(0), 5, 5.0, MotionConfig(only=("fly",)))
