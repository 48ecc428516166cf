import hashlib
import json
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from kinepose.benchmarks.synthworld import (
    CONTENT,
    PRIOR_SEED,
    SIZES,
    SPLITS,
    TESTS,
    check_content,
    content_hash,
    describe,
    make_synthworld,
    read_synthworld,
)
from kinepose.dataset.pairs import read_clips
from kinepose.dataset.render_stream import render_prior_set
from kinepose.dataset.renders import load_prior
from kinepose.errors import BadInputError
from kinepose.pose_files import read_labels
from kinepose.settings import (
    PRESETS,
    SceneConfig,
    SynthworldConfig,
)
from kinepose.synthetic.mocap_clips import DEEPMIMIC_TRAINING, TEST_CLIPS, captured_clips
from kinepose.synthetic.motion_sampling import random_motion
from kinepose.synthetic.single_images import render_take


@pytest.fixture
def copied(synthworld, tmp_path) -> Path:
    """A copy that may be spoilt."""
    return shutil.copytree(synthworld, tmp_path / "tiny")


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def motion_of(film: str, split: str) -> str:
    return film.removeprefix(f"{split}_").rsplit("_", 1)[0]


def test_every_split_has_films_labels_boxes_and_clips(synthworld):
    assert {path.name for path in synthworld.iterdir()} == {*SPLITS, "prior.npz", "synthworld.json"}
    for name, split in SPLITS.items():
        films = {path.stem for path in (synthworld / name / "films").iterdir()}
        assert films == {path.stem for path in (synthworld / name / "labels").iterdir()}
        assert len(films) == round(SIZES["tiny"].films * split.films)
        clips = read_clips([synthworld / name / "clips"]).table
        assert {Path(film).stem for film in clips["film"].to_pylist()} <= films
        assert len(clips) > 10
    assert len(load_prior(synthworld / "prior.npz").image) == 20


def test_what_an_earlier_call_finished_is_kept(synthworld, capsys):
    times = {path: path.stat().st_mtime_ns for path in synthworld.glob("*/films/*.mp4")}
    before = contents(synthworld)
    make_synthworld(SynthworldConfig(synthworld, "tiny", workers=1))
    assert times == {path: path.stat().st_mtime_ns for path in synthworld.glob("*/films/*.mp4")}
    assert contents(synthworld) == before
    assert describe(read_synthworld(synthworld)) in capsys.readouterr().out


@pytest.mark.parametrize("kind", ["films/*.mp4", "labels/*.npz", "boxes.csv"])
def test_one_changed_byte_changes_the_content_hash(synthworld, copied, kind):
    described = read_synthworld(synthworld)["content"]
    assert content_hash(copied) == described
    path = next(copied.glob(f"moving_camera/{kind}"))
    spoilt = bytearray(path.read_bytes())
    spoilt[len(spoilt) // 2] ^= 1
    path.write_bytes(spoilt)
    assert content_hash(copied) != described


def test_a_renamed_or_missing_film_changes_the_content_hash(copied):
    described = content_hash(copied)
    film = next(copied.glob("validation/films/*.mp4"))
    film.rename(film.with_name("other.mp4"))
    renamed = content_hash(copied)
    (film.parent / "other.mp4").unlink()
    assert len({described, renamed, content_hash(copied)}) == 3


@pytest.mark.parametrize("kind", ["films/*.mp4", "labels/*.npz", "boxes.csv"])
def test_a_benchmark_that_lacks_a_file_is_not_scored(copied, kind):
    held = read_synthworld(copied)
    check_content(copied, held)
    next(copied.glob(f"seen_world/{kind}")).unlink()
    with pytest.raises(BadInputError, match="has changed since it was made") as caught:
        check_content(copied, held)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("changes", [{"size": "small"}, {"version": 99}])
def test_a_folder_of_another_benchmark_is_refused(copied, changes):
    description = copied / "synthworld.json"
    held = json.loads(description.read_text()) | changes
    description.write_text(json.dumps(held))
    before = contents(copied)
    with pytest.raises(BadInputError, match="name another folder") as caught:
        make_synthworld(SynthworldConfig(copied, "tiny", workers=1))
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
        make_synthworld(SynthworldConfig(tmp_path, "tiny", workers=1))
    assert [path.name for path in tmp_path.iterdir()] == ["synthworld.json"]


def test_figures_say_on_which_bytes_they_were_made():
    held = {"version": 1, "size": "small", "content": CONTENT["small"]}
    assert describe(held).endswith("(as published)")
    assert "say so beside figures" in describe(held | {"content": "0123456789abcdef"})
    assert "no bytes of this size are published" in describe(held | {"size": "tiny"})


def test_the_recipe_of_a_version_never_changes():
    """A better one is a new version, with new hashes in CONTENT: figures of this one stay true.

    It holds the defaults of MotionConfig and SceneConfig too. A new setting there may leave all
    films as they are: if `kinepose synthworld` still says so, the digest here may be renewed.
    """
    recipe = repr((SIZES["small"], SIZES["full"], SPLITS, PRIOR_SEED))
    digest = hashlib.sha256(recipe.encode()).hexdigest()[:16]
    assert digest == "894aacb9a1bde1fd"


def test_motions_of_the_test_are_seen_nowhere_else(synthworld, monkeypatch):
    """Without them in the package training, prior and stream would be the same, bit by bit."""
    trained = [split.motion for name, split in SPLITS.items() if name != "unseen_motion"]
    stream = replace(PRESETS["kinepose"].stream, size=32)

    def moves() -> list[torch.Tensor]:
        drawn = [random_motion(np.random.default_rng(0), 40, 6.0, each) for each in trained]
        return [motion.rotations for motion in drawn]

    before, take = moves(), render_take(stream, 0, 0)
    for name in TEST_CLIPS:
        monkeypatch.delitem(captured_clips(), name)
    assert all(map(torch.equal, moves(), before))
    assert np.array_equal(render_take(stream, 0, 0).image, take.image)
    prior, again = load_prior(synthworld / "prior.npz"), render_prior_set(20, PRIOR_SEED, 192)
    assert np.array_equal(prior.joints3d, again.joints3d)
    with pytest.raises(BadInputError, match="dance_b"):
        random_motion(np.random.default_rng(0), 6, 6.0, SPLITS["unseen_motion"].motion)


@pytest.mark.parametrize("size", ["small", "full"])
def test_each_test_shows_each_of_its_motions_equally_often(size):
    """The mean over motions is of equally many films, and unseen_motion has no motion of others."""
    for name in (*TESTS, "validation"):
        split = SPLITS[name]
        expected = TEST_CLIPS[:4] if name == "unseen_motion" else DEEPMIMIC_TRAINING
        assert split.motion.apart and split.motion.only == expected
        assert SIZES[size].films * split.films % len(expected) == 0


def test_films_of_tests_are_named_after_their_motions(synthworld):
    for name in (*TESTS, "validation"):
        for film in (synthworld / name / "films").iterdir():
            assert motion_of(film.stem, name) in SPLITS[name].motion.only


def test_no_split_has_a_film_of_another(synthworld):
    assert len({split.seed for split in SPLITS.values()} | {PRIOR_SEED}) == len(SPLITS) + 1
    for kind in ("films/*.mp4", "labels/*.npz"):
        copies = Counter(path.read_bytes() for path in synthworld.glob(f"*/{kind}"))
        assert len(copies) > 20 and set(copies.values()) == {1}
    bodies = []
    for path in synthworld.glob("*/labels/*.npz"):
        joints = read_labels(path).joints3d[0]
        bodies.append(np.linalg.norm(joints[[2, 3, 12, 13]] - joints[[1, 2, 11, 12]], axis=-1))
    apart = np.abs(np.array(bodies)[:, None] - np.array(bodies)).max(-1)
    assert apart[np.triu_indices(len(bodies), 1)].min() > 0.05, "no two people are the same [mm]"


def test_an_unseen_look_lies_outside_of_all_that_training_sees():
    seen, other = SceneConfig(), SPLITS["unseen_look"].scene
    for name in ("distance", "height", "sun", "exposure", "noise"):
        (low, high), (other_low, other_high) = getattr(seen, name), getattr(other, name)
        assert other_high < low or other_low >= high, name
    for name, split in SPLITS.items():
        assert (split.look == "foreign") == (name == "foreign_look")
        assert (split.scene == seen) == (name != "unseen_look")
