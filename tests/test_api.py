"""kinepose.predict, load_model and Poses, as a program uses them."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from huggingface_hub import ModelCard
from tests.conftest import run_here

import kinepose
from kinepose.artifacts.model_files import lay_out, save_model
from kinepose.artifacts.pose_files import read_poses
from kinepose.io.settings import SHIPPED


@pytest.fixture
def run(tiny_model, tmp_path):
    save_model(tiny_model, tmp_path / "run")
    return tmp_path / "run"


def test_poses_are_those_that_the_command_writes(videos, run, tmp_path, monkeypatch, capsys):
    video = sorted((videos / "films").glob("*.mp4"))[0]
    before = sorted(tmp_path.rglob("*"))
    options = {"run": run, "detector": "file", "boxes": videos / "boxes.csv", "height": 1850.0}
    poses = kinepose.predict(video, **options)
    assert sorted(tmp_path.rglob("*")) == before, "nothing is written unless asked"
    words = ["predict", video, "--output", tmp_path / "poses", "--no-overlay", "--no-viewer"]
    words += ["--run", run, "--detector", "file", "--boxes", videos / "boxes.csv", "--height", 1850]
    words += ["--formats", "bvh", "csv"]
    assert run_here(monkeypatch, capsys, *words)[0] == 0
    written = read_poses(tmp_path / "poses")
    for name, array in vars(written).items():
        np.testing.assert_array_equal(getattr(poses, name), array, name)
    assert poses.joints3d.shape == (len(poses.time), 17, 3) and len(poses.time) > 10

    paths = poses.save(tmp_path / "saved", formats=["npz", "bvh", "csv"])
    assert {path.name for path in paths} == {"poses.npz", "track_0.bvh", "poses.csv"}
    for path in paths:
        if path.suffix != ".npz":  # a zip file keeps the time at which it was written
            assert path.read_bytes() == (tmp_path / "poses" / path.name).read_bytes()
    assert (read_poses(tmp_path / "saved").joints3d == written.joints3d).all()


def test_a_model_gives_v_k_c_and_joints(run, tiny_model):
    images = torch.rand(3, 3, 32, 32)
    model = kinepose.load_model(run)
    with torch.inference_mode():
        said, expected = model(images), tiny_model.predict(images)
    for got, name in zip(said, ("parameters", "camera", "joints3d", "joints2d"), strict=True):
        torch.testing.assert_close(got, getattr(expected, name))
    assert [tuple(x.shape) for x in said] == [(3, 40), (3, 9), (3, 17, 3), (3, 17, 2)]


def test_a_repository_of_the_hub_is_found_where_it_was_kept(run, tmp_path, monkeypatch):
    """In the layout of the Hub's cache on disk; nothing is fetched."""
    kept = tmp_path / "hub" / "models--somebody--poses"
    (kept / "snapshots").mkdir(parents=True)
    run.rename(kept / "snapshots" / "0123abc")
    (kept / "refs").mkdir()
    (kept / "refs" / "main").write_text("0123abc")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    assert kinepose.load_model("hf://somebody/poses").config.image_size == 32
    for address in ("hf://somebody/else", "hf://", "hf://a/b/c"):
        with pytest.raises(kinepose.BadInputError, match=address) as caught:
            kinepose.load_model(address)
        assert "\n" not in str(caught.value)


def test_what_is_pushed_is_a_run_with_a_card_and_no_places(run, tiny_model, tmp_path):
    """As it is laid out before the Hub is asked, which a test may not."""
    place = {"output": "/home/somebody/runs/first", "variant": "prior", "preset": "cpu"}
    save_model(tiny_model, run, train=place, turns={"prior": 7})
    lay_out(run, "hf://somebody/poses", tmp_path)
    assert {path.name for path in tmp_path.iterdir()} - {"run"} == {
        *("config.json", "model.safetensors", "README.md"),
    }
    assert "somebody" not in (tmp_path / "config.json").read_text()
    images = torch.rand(2, 3, 32, 32)
    with torch.inference_mode():
        got, wanted = kinepose.load_model(tmp_path)(images), tiny_model(images)
    torch.testing.assert_close(got, wanted)
    card = ModelCard.load(tmp_path / "README.md")
    assert card.data.library_name == "kinepose" and "hf://somebody/poses" in card.text
    assert "| iterations of `prior` | 7 |" in card.text
    lay_out(SHIPPED, "hf://somebody/poses", tmp_path)
    assert "model that comes with kinepose" in ModelCard.load(tmp_path / "README.md").text
    for address, says in (("hf://somebody/poses", "offline"), ("hf://a/b/c", "a/b/c")):
        with pytest.raises(kinepose.BadInputError, match=says) as caught:
            kinepose.push_to_hub(run, address)
        assert "\n" not in str(caught.value)
    with pytest.raises(kinepose.BadInputError, match="not a run"):
        kinepose.push_to_hub(tmp_path / "none", "hf://somebody/poses")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"bogus": 1}, "bogus"),
        ({"overlay": False}, "overlay"),
        ({"detections": Path("found.csv")}, "no option detections"),
        ({"height": float("nan")}, "height"),
        ({"detector": "file"}, "boxes"),
        ({"run": Path("nowhere")}, "nowhere"),
    ],
)
def test_what_is_wrong_is_one_line(options, says, videos, run):
    video = next((videos / "films").glob("*.mp4"))
    with pytest.raises(kinepose.KineposeError, match=says) as caught:
        kinepose.predict(video, **({"run": run} | options))
    assert "\n" not in str(caught.value)
    with pytest.raises(kinepose.BadInputError, match=r"none\.mp4"):
        kinepose.predict("none.mp4", run=run)


def test_the_import_alone_loads_nothing_large():
    code = (
        "import sys, kinepose; print(kinepose.__all__);"
        "print([name for name in ('torch', 'numpy', 'transformers', 'cv2') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [str(kinepose.__all__), "[]"]
    with pytest.raises(AttributeError, match="bogus"):
        _ = kinepose.bogus
