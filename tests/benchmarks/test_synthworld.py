import hashlib
import json
import re
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from kinepose.artifacts.pose_files import read_labels
from kinepose.benchmarks.config import SynthworldConfig
from kinepose.benchmarks.synthworld import (
    Description,
    check_content,
    content_hash,
    describe,
    holds_synthworld,
    make_synthworld,
    read_synthworld,
)
from kinepose.benchmarks.synthworld_recipes import PRIOR_SEED, SIZES, WORLDS
from kinepose.dataset.clip_set import read_clips
from kinepose.dataset.render_stream import render_prior_set
from kinepose.dataset.renders import load_prior
from kinepose.io.errors import BadInputError
from kinepose.synthetic import scene
from kinepose.synthetic.body import random_person
from kinepose.synthetic.config import SceneConfig
from kinepose.synthetic.mocap_clips import TEST_CLIPS, captured_clips, training_clips
from kinepose.synthetic.motion_sampling import random_motion
from kinepose.synthetic.single_images import render_sequence
from kinepose.training.config import PRESETS
from kinepose.video.reading import read_frames

SPLITS = [(version, name) for version, world in WORLDS.items() for name in world.splits]
SHOWN_IN_TURN = {
    version: [name for name in world.splits if name in world.tests or name.startswith("validation")]
    for version, world in WORLDS.items()
}
"""The splits whose videos show one motion each."""


@pytest.fixture
def copied(synthworld, tmp_path) -> Path:
    """A copy that may be spoilt."""
    return shutil.copytree(synthworld, tmp_path / "tiny")


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def motion_of(video: str, split: str) -> str:
    return video.removeprefix(f"{split}_").rsplit("_", 1)[0]


@pytest.mark.parametrize("version", WORLDS)
def test_every_split_has_videos_labels_boxes_and_clips(synthworlds, version):
    folder, splits = synthworlds(version), WORLDS[version].splits
    assert {path.name for path in folder.iterdir()} == {*splits, "prior.npz", "synthworld.json"}
    for name, split in splits.items():
        videos = {path.stem for path in (folder / name / "films").iterdir()}
        assert videos == {path.stem for path in (folder / name / "labels").iterdir()}
        assert len(videos) == round(SIZES["tiny"].videos * split.videos)
        clips = read_clips([folder / name / "clips"]).table
        assert {Path(video).stem for video in clips["video"].to_pylist()} <= videos
        assert len(clips) > 10
    assert len(load_prior(folder / "prior.npz").image) == 20
    assert holds_synthworld(folder, version, "tiny")
    assert not holds_synthworld(folder, 3 - version, "tiny")


def test_what_an_earlier_call_finished_is_kept(synthworld, capsys):
    times = {path: path.stat().st_mtime_ns for path in synthworld.glob("*/films/*.mp4")}
    before = contents(synthworld)
    make_synthworld(SynthworldConfig(synthworld, 2, "tiny", workers=1))
    assert times == {path: path.stat().st_mtime_ns for path in synthworld.glob("*/films/*.mp4")}
    assert contents(synthworld) == before
    assert describe(read_synthworld(synthworld)) in capsys.readouterr().out


@pytest.mark.parametrize("kind", ["films/*.mp4", "labels/*.npz", "boxes.csv"])
def test_one_changed_byte_changes_the_content_hash(synthworld, copied, kind):
    described = read_synthworld(synthworld).content
    assert content_hash(copied, 2) == described
    path = next(copied.glob(f"unseen_place/{kind}"))
    spoilt = bytearray(path.read_bytes())
    spoilt[len(spoilt) // 2] ^= 1
    path.write_bytes(spoilt)
    assert content_hash(copied, 2) != described


def test_a_renamed_or_missing_video_changes_the_content_hash(copied):
    described = content_hash(copied, 2)
    video = next(copied.glob("validation/films/*.mp4"))
    video.rename(video.with_name("other.mp4"))
    renamed = content_hash(copied, 2)
    (video.parent / "other.mp4").unlink()
    assert len({described, renamed, content_hash(copied, 2)}) == 3


@pytest.mark.parametrize("kind", ["films/*.mp4", "labels/*.npz", "boxes.csv"])
def test_a_benchmark_that_lacks_a_file_is_not_scored(copied, kind):
    held = read_synthworld(copied)
    check_content(copied, held)
    next(copied.glob(f"seen_world/{kind}")).unlink()
    with pytest.raises(BadInputError, match="has changed since it was made") as caught:
        check_content(copied, held)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("changes", [{"size": "small"}, {"version": 1}])
def test_a_folder_of_another_benchmark_is_refused(copied, changes):
    description = copied / "synthworld.json"
    held = json.loads(description.read_text()) | changes
    description.write_text(json.dumps(held))
    before = contents(copied)
    with pytest.raises(BadInputError, match="name another folder") as caught:
        make_synthworld(SynthworldConfig(copied, 2, "tiny", workers=1))
    assert f"{held['version']} {held['size']}" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert contents(copied) == before


def test_what_is_no_benchmark_or_not_finished_is_refused(tmp_path):
    with pytest.raises(BadInputError, match="holds no synthworld; `kinepose synthworld"):
        read_synthworld(tmp_path)
    description = tmp_path / "synthworld.json"
    description.write_text("{}")
    with pytest.raises(BadInputError, match=r"synthworld\.json: version is missing"):
        read_synthworld(tmp_path)
    description.write_text(json.dumps({"version": 1, "size": "small", "content": None}))
    with pytest.raises(BadInputError, match="not finished"):
        read_synthworld(tmp_path)
    with pytest.raises(BadInputError, match="holds synthworld 1 small: name another"):
        make_synthworld(SynthworldConfig(tmp_path, 2, "tiny", workers=1))
    description.write_text(json.dumps({"version": 99, "size": "small", "content": "0"}))
    with pytest.raises(BadInputError, match="holds synthworld 99, unknown to kinepose"):
        read_synthworld(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["synthworld.json"]


@pytest.mark.parametrize(("version", "size"), [(1, "small"), (2, "tiny")])
def test_figures_say_on_which_bytes_they_were_made(version, size):
    held = Description(version, size, WORLDS[version].content[size][-1])
    assert describe(held).endswith("(as published)")
    assert "say so beside figures" in describe(replace(held, content="0123456789abcdef"))
    assert "no bytes of this size are published" in describe(replace(held, size="full"))


@pytest.mark.parametrize(
    ("version", "expected"), [(1, "c96920b97e981af7"), (2, "d36baf8908a5db4f")]
)
def test_the_recipe_of_a_version_never_changes(version, expected):
    """A better one is a new version, with new hashes: figures of this one stay true.

    It holds the defaults of MotionConfig and SceneConfig too. A new setting there may leave all
    videos as they are: if `kinepose synthworld` still says so, the digest here may be renewed.
    """
    recipe = repr((SIZES["small"], SIZES["full"], WORLDS[version].splits, PRIOR_SEED))
    assert hashlib.sha256(recipe.encode()).hexdigest()[:16] == expected


@pytest.mark.parametrize(
    ("version", "split", "pelvis", "spread", "level"),
    [
        (1, "train_moving", (264.2, -163.1, 4429.2), (8.50, 10.60), 100.8),
        (1, "unseen_motion", (107.9, -6.3, 6318.6), (9.05, 10.04), 60.6),
        (1, "foreign_look", (32.0, 88.1, 4507.4), (10.07, 9.69), 178.9),
        (2, "train_moving", (-307.4, -184.2, 5443.4), (4.77, 9.29), 25.6),
        (2, "unseen_motion", (113.6, -7.6, 6368.6), (8.73, 9.53), 79.1),
        (2, "foreign_look", (75.2, 57.4, 6105.7), (11.46, 9.40), 105.0),
    ],
)
def test_the_videos_of_a_version_never_change(synthworlds, version, split, pelvis, spread, level):
    """Nor who is in them, but for last digits, in which processors differ: the mean of the first
    video's joints [mm], the spread of their places in the image [px], and its mean level."""
    video = min((synthworlds(version) / split / "films").iterdir())
    labels = read_labels(synthworlds(version) / split / "labels" / f"{video.stem}.npz")
    np.testing.assert_allclose(labels.joints3d.mean((0, 1)), pelvis, atol=0.2)
    np.testing.assert_allclose(labels.joints2d.std((0, 1)), spread, atol=0.02)
    images = np.stack([frame.image for frame in read_frames(video)])
    assert images.mean() == pytest.approx(level, abs=0.5)


def test_motions_of_the_test_are_seen_nowhere_else(synthworld, monkeypatch):
    """Without them in the package training, prior and stream would be the same, bit by bit."""
    splits = [(name, split) for world in WORLDS.values() for name, split in world.splits.items()]
    unseen = {split.motion for name, split in splits if name == "unseen_motion"}
    trained = {split.motion for name, split in splits if name != "unseen_motion"}
    stream = replace(PRESETS["kinepose"].stream, size=32)

    def moves() -> list[torch.Tensor]:
        drawn = [random_motion(np.random.default_rng(0), 40, 6.0, each) for each in trained]
        return [motion.rotations for motion in drawn]

    before, sequence = moves(), render_sequence(stream, 0, 0)
    for name in TEST_CLIPS:
        monkeypatch.delitem(captured_clips(), name)
    assert all(map(torch.equal, moves(), before))
    assert np.array_equal(render_sequence(stream, 0, 0).image, sequence.image)
    prior, again = load_prior(synthworld / "prior.npz"), render_prior_set(20, PRIOR_SEED, 192)
    assert np.array_equal(prior.joints3d, again.joints3d)
    for motion in unseen:
        assert set(motion.only) <= set(TEST_CLIPS)
        with pytest.raises(BadInputError, match=r"motion\.only (cmu_01_14|dance_b)"):
            random_motion(np.random.default_rng(0), 6, 6.0, motion)


def test_training_videos_of_version_2_show_all_clips_that_may_be_trained_on():
    for name, split in WORLDS[2].splits.items():
        if name.startswith("train_"):
            assert sorted(split.motion.only) == list(training_clips())


def test_places_of_the_test_are_seen_nowhere_else(monkeypatch):
    """They are read for no other split."""
    for world in WORLDS.values():
        for name, split in world.splits.items():
            assert (split.scene.places == "test") == (name == "unseen_place")

    def refused() -> None:
        raise AssertionError("a place of the tests")

    monkeypatch.setattr(scene, "test_places", refused)
    generator = np.random.default_rng(0)
    motion = random_motion(generator, 4, 6.0, WORLDS[2].splits["train_static"].motion)
    actor = scene.place(motion, random_person(generator), 6.0)
    for name, split in WORLDS[2].splits.items():
        camera = scene.random_camera(generator, actor, 32, 6.0, False, split.scene)
        if name == "unseen_place":
            with pytest.raises(AssertionError, match="a place of the tests"):
                scene.random_backdrop(generator, camera, False, split.scene)
        else:
            scene.random_backdrop(generator, camera, False, split.scene)


@pytest.mark.parametrize("version", WORLDS)
@pytest.mark.parametrize("size", ["small", "full"])
def test_each_test_shows_each_of_its_motions_equally_often(version, size):
    """The mean over motions is of equally many videos, and unseen_motion has no motion of
    others."""
    splits = WORLDS[version].splits
    for name in SHOWN_IN_TURN[version]:
        motion = splits[name].motion
        assert motion.apart and len(set(motion.only)) == len(motion.only)
        assert set(motion.only) <= set(training_clips()) or name == "unseen_motion"
        assert SIZES[size].videos * splits[name].videos % len(motion.only) == 0


def test_videos_of_tests_are_named_after_their_motions(synthworld):
    for name in SHOWN_IN_TURN[2]:
        for video in (synthworld / name / "films").iterdir():
            assert motion_of(video.stem, name) in WORLDS[2].splits[name].motion.only


def test_no_split_has_a_video_of_another(synthworld):
    seeds = [split.seed for world in WORLDS.values() for split in world.splits.values()]
    assert len({*seeds, PRIOR_SEED}) == len(SPLITS) + 1
    for kind in ("films/*.mp4", "labels/*.npz"):
        copies = Counter(path.read_bytes() for path in synthworld.glob(f"*/{kind}"))
        assert len(copies) > 20 and set(copies.values()) == {1}
    bodies = []
    for path in synthworld.glob("*/labels/*.npz"):
        joints = read_labels(path).joints3d[0]
        bodies.append(np.linalg.norm(joints[[2, 3, 12, 13]] - joints[[1, 2, 11, 12]], axis=-1))
    apart = np.abs(np.array(bodies)[:, None] - np.array(bodies)).max(-1)
    assert apart[np.triu_indices(len(bodies), 1)].min() > 0.05, "no two people are the same [mm]"


@pytest.mark.parametrize(("version", "name"), SPLITS)
def test_an_unseen_look_lies_outside_of_all_that_training_sees(version, name):
    splits = WORLDS[version].splits
    seen, scene, foreign = splits["train_static"], splits[name].scene, "foreign" in name
    assert (splits[name].appearance == "foreign") == foreign
    assert splits[name].appearance == seen.appearance or foreign
    if name == "unseen_look":
        for setting in ("distance", "height", "sun", "exposure", "noise"):
            (low, high), (other_low, other_high) = (
                getattr(each, setting) for each in (seen.scene, scene)
            )
            assert other_high < low or other_low >= high, setting
    elif name == "unseen_place":
        assert scene == replace(seen.scene, places="test")
    else:
        assert scene == seen.scene == SceneConfig(places=("procedural", "training")[version - 1])


def test_the_documents_name_the_published_bytes():
    text = (Path(__file__).parents[2] / "docs" / "benchmarks.md").read_text()
    named = set(re.findall(r"[0-9a-f]{16}", text))
    for world in WORLDS.values():
        assert {content for held in world.content.values() for content in held} <= named
