"""score.py on the two tiny videos, which stand in for a split of `synthworld`."""

import json
import shutil
from dataclasses import replace

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from tests.conftest import TINY_MODEL

from kinepose.artifacts.model_files import save_model
from kinepose.artifacts.run_folder import RunDescription, paints_people
from kinepose.benchmarks.synthworld import content_hash
from kinepose.dataset.pairs import load_images
from kinepose.evaluation.config import ScoreConfig
from kinepose.evaluation.examples import choose_examples, paint_transfers, rows_at_quantiles
from kinepose.evaluation.score import score, score_frames, score_split
from kinepose.evaluation.scored import read_scored
from kinepose.evaluation.splits import read_split
from kinepose.io.errors import BadInputError
from kinepose.method.config import ModelConfig
from kinepose.method.forward_kinematics import forward_kinematics, local_kinematics
from kinepose.method.losses import energy
from kinepose.method.model import Poses

STATURE = 1700.0
PAINTS = {"train": {"output": "run", "iterations": 10}, "turns": {"paired": 5}}


@pytest.fixture(scope="module")
def benchmark(videos, clips, prior, tmp_path_factory):
    folder = tmp_path_factory.mktemp("benchmark")
    (folder / "video").mkdir()
    shutil.copytree(clips, folder / "video" / "clips")
    second = folder / "video" / "clips" / "film_0001.parquet"
    pq.write_table(pq.read_table(second)[:-4], second)  # or a mean over frames were one over videos
    (folder / "video" / "labels").symlink_to(videos / "labels")
    (folder / "prior.npz").symlink_to(prior)
    described = {"version": 2, "size": "small", "content": content_hash(folder, 2)}
    (folder / "synthworld.json").write_text(json.dumps(described))
    return folder


@pytest.fixture(scope="module")
def split(benchmark):
    return read_split(benchmark / "video", TINY_MODEL.crop_margin)


@pytest.fixture
def run(tiny_model, tmp_path):
    folder = tmp_path / "run"
    save_model(tiny_model, folder, **PAINTS)
    return folder


@pytest.fixture(autouse=True)
def small_batches(monkeypatch):
    """So that the order of frames must survive several batches, the last one shorter."""
    monkeypatch.setattr("kinepose.evaluation.score._BATCH", 7)


def labelled_rows(videos, clips):
    """(video, frame, time, joints2d in the crop, joints3d [mm]), straight from the files."""
    rows = []
    for path in sorted(clips.glob("*.parquet")):
        with np.load(videos / "labels" / f"{path.stem}.npz") as labels:
            joints2d, joints3d = labels["joints2d"], labels["joints3d"].astype(float)
        for row in pq.read_table(path).to_pylist():
            x, y, side = row["crop"]
            side *= TINY_MODEL.crop_margin / 1.4
            seen = (joints2d[row["frame"]] - [x, y]) / (side / 2)
            rows.append((row["video"], row["frame"], row["time"], seen, joints3d[row["frame"]]))
    return rows


def slow_p_mpjpe(predicted, truth):
    """Procrustes as in textbooks, in numpy; the truth is first made STATURE high."""
    truth = truth.copy()
    truth[0] = (truth[1] + truth[4]) / 2
    chain = [(3, 2), (2, 1), (0, 8), (8, 9), (9, 10)]
    truth *= STATURE / sum(np.linalg.norm(truth[a] - truth[b]) for a, b in chain)
    p, g = predicted - predicted.mean(0), truth - truth.mean(0)
    u, s, vt = np.linalg.svd(p.T @ g)
    s[2] *= (sign := np.sign(np.linalg.det(u @ vt)))
    u[:, 2] *= sign
    return np.linalg.norm(s.sum() / (p**2).sum() * p @ u @ vt - g, axis=-1).mean()


def test_scores_are_those_of_a_slow_loop_over_the_files(
    videos, benchmark, split, tiny_model, prior
):
    frames = score_frames(tiny_model, split, paints=True)
    rows = labelled_rows(videos, benchmark / "video" / "clips")
    assert len(frames.frame) == len(rows) > 30
    errors, distances, energies, images = [], [], [], {}
    for number, (video, frame, *_) in enumerate(rows):
        images[video, frame] = load_images(split.clips, np.array([number]), 32)
    for video, frame, time, joints2d, joints3d in rows:
        with torch.no_grad():
            poses = tiny_model.predict(images[video, frame])
        errors.append(slow_p_mpjpe(poses.joints3d[0].double().numpy(), joints3d))
        distance = np.linalg.norm(poses.joints2d[0].numpy() - joints2d, axis=-1).mean()
        distances.append(distance / 2)  # crops are 2 wide
        own = [row for row in rows if row[0] == video]
        later = [row for row in own if row[2] > time + 0.999]
        earlier = [row for row in own if row[2] < time - 0.999]
        farthest = sorted(own, key=lambda row: abs(row[2] - time))
        source = [*later[:1], *earlier[-1:], farthest[-1]][0]
        lent = images[source[0], source[1]]
        energies.append(energy(tiny_model, images[video, frame], lent).item())
    np.testing.assert_allclose(frames.p_mpjpe, errors, rtol=1e-5)
    np.testing.assert_allclose(frames.joints2d_error, distances, rtol=1e-4)
    np.testing.assert_allclose(frames.energy, energies, rtol=1e-4)
    assert frames.video.tolist() == [row[0] for row in rows]
    assert frames.frame.tolist() == [row[1] for row in rows]

    with np.load(prior) as renders:
        poses = renders["joints3d"].astype(float)
    scores = score_split(frames, split.labels, torch.from_numpy(poses))
    by_video = {
        video: [i for i, row in enumerate(rows) if row[0] == video] for video in videos_of(rows)
    }

    def mean_of_motions(values):
        return np.mean([np.mean([values[i] for i in own]) for own in by_video.values()])

    nearest = [min(slow_p_mpjpe(pose, row[4]) for pose in poses) for row in rows]
    assert scores["p_mpjpe"] == pytest.approx(mean_of_motions(errors), rel=1e-5)
    assert scores["joints2d"] == pytest.approx(mean_of_motions(distances), rel=1e-4)
    assert scores["baselines"]["nearest_prior"] == pytest.approx(mean_of_motions(nearest), rel=1e-5)
    ranks = [np.argsort(np.argsort(values)) for values in (energies, errors)]
    assert scores["spearman"] == pytest.approx(np.corrcoef(*ranks)[0, 1], abs=1e-3)


def videos_of(rows):
    return sorted({row[0] for row in rows})


def answering(monkeypatch, model, joints3d, joints2d):
    """The model answers with these poses, in the order in which it is asked."""
    asked = 0

    def predict(images):
        nonlocal asked
        rows = slice(asked, asked := asked + len(images))
        camera = torch.tensor([0.0, 1.0] * 3).expand(len(images), -1)
        return Poses(torch.zeros(len(images), 40), camera, joints3d[rows], joints2d[rows])

    monkeypatch.setattr(model, "predict", predict)


def test_perfect_constant_and_floor_answers_score_what_the_baselines_say(
    split, tiny_model, monkeypatch
):
    truth = torch.from_numpy(split.labels.joints3d)
    joints2d = torch.from_numpy(split.labels.joints2d)
    errors, spread = {}, {}
    for name, answers in {
        "perfect": truth,
        "mean_pose": truth.mean(0).expand_as(truth),
        "floor": forward_kinematics(local_kinematics(truth)[0]),
    }.items():
        answering(monkeypatch, tiny_model, answers, joints2d + torch.tensor([0.3, 0.4]))
        frames = score_frames(tiny_model, split, paints=False)
        scores = score_split(frames, split.labels, truth[::5].double())
        errors[name] = scores["p_mpjpe"]
        spread[name] = scores["spread"]
        assert scores["joints2d"] == pytest.approx(0.25, abs=1e-5)
        assert scores["spearman"] is None and np.isnan(frames.energy).all()
    assert errors["perfect"] == pytest.approx(0, abs=1e-2)
    assert spread["mean_pose"] == pytest.approx(0, abs=1e-2)
    assert spread["perfect"] > 50
    for name in ("mean_pose", "floor"):
        assert errors[name] == pytest.approx(scores["baselines"][name], rel=1e-3)
    assert scores["baselines"]["nearest_prior"] < scores["baselines"]["mean_pose"]


def test_score_writes_a_table_and_the_arrays_that_belong_to_it(run, benchmark, split, tiny_model):
    output = run.parent / "out" / "scores.json"
    scores = score(ScoreConfig(run, benchmark, output, splits=("video", "video")))
    assert json.loads(output.read_text())["splits"] == scores
    scored = read_scored(output)
    frames, shown, count = scored.frames, scored.examples, scores["video"]["frames"]
    assert len(frames.frame) == 2 * count and set(frames.split) == {"video"}
    assert shown.row.tolist() == [*shown.row[:5], *(shown.row[:5] + count)]
    errors = frames.p_mpjpe[shown.row[:5]]
    assert errors.tolist() == sorted(errors)
    for quantile, error in zip(shown.quantile[:5], errors, strict=True):
        assert np.mean(frames.p_mpjpe < error) == pytest.approx(quantile, abs=1.5 / count)
    row = split.labels.rows[shown.row[1]]
    crop = load_images(split.clips, np.array([row]), 128)[0].permute(1, 2, 0).numpy()
    np.testing.assert_allclose(shown.image[1], 255 * crop, atol=0.51)
    maps = tiny_model.maps(torch.from_numpy(frames.joints2d[shown.row]))
    np.testing.assert_allclose(shown.maps, 255 * maps.numpy(), atol=1)


def test_the_truth_of_an_example_is_as_a_camera_that_looks_at_the_pelvis_sees_it(
    videos, clips, split, tiny_model
):
    frames = score_frames(tiny_model, split, paints=False)
    shown = choose_examples(tiny_model, split, frames)
    rows = labelled_rows(videos, clips)
    for example, row in enumerate(shown.row):
        *_, joints2d, joints3d = rows[row]
        np.testing.assert_allclose(shown.true_joints2d[example], joints2d, atol=1e-5)
        ahead = joints3d[0] / np.linalg.norm(joints3d[0])
        axis = np.cross(ahead, [0, 0, 1])
        angle = np.arcsin(np.linalg.norm(axis))
        turned = (joints3d - joints3d[0]) @ cv2.Rodrigues(axis / np.sin(angle) * angle)[0].T
        seen = shown.true_joints3d[example]
        scale = np.linalg.norm(seen) / np.linalg.norm(turned)
        np.testing.assert_allclose(seen, scale * turned, atol=1.0)


def test_transfers_are_poses_of_examples_painted_in_clothes_and_places_of_others(split, tiny_model):
    frames = score_frames(tiny_model, split, paints=False)
    shown = choose_examples(tiny_model, split, frames)
    made = paint_transfers(tiny_model, split, shown)
    assert made.transfers.shape == (2, 2, 3, 32, 32, 3)

    def tensor(image):
        return torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255

    best = load_images(split.clips, split.labels.rows[shown.row[:1]], 32)
    np.testing.assert_allclose(tensor(made.pose_images[0]), best, atol=1 / 500)
    with torch.no_grad():
        painted = tiny_model.paint(
            tiny_model.predict(tensor(made.pose_images[1])).joints2d,
            tiny_model.appearance(tensor(made.appearance_images[0])),
            tensor(made.background_images[2]),
        )
    expected = 255 * painted[0].permute(1, 2, 0).clamp(0, 1).numpy()
    np.testing.assert_allclose(made.transfers[1, 0, 2], expected, atol=2)


def test_rows_at_quantiles_are_the_frames_of_these_ranks():
    errors = np.random.default_rng(0).permutation(101.0 * np.arange(101))
    assert (errors[rows_at_quantiles(errors)] / 101).tolist() == [5, 25, 50, 75, 95]
    assert rows_at_quantiles(np.array([7.0])).tolist() == [0] * 5
    assert rows_at_quantiles(np.array([2.0, 2.0, 2.0, 2.0, 2.0])).tolist() == [0, 1, 2, 3, 4]


def test_only_a_run_that_trained_its_decoder_paints_people():
    described = RunDescription(1, ModelConfig(), turns={"prior": 9, "paired": 1})
    assert paints_people(described) is True
    assert paints_people(replace(described, turns={"prior": 9})) is False


def test_without_a_decoder_there_is_no_energy_and_no_transfer(tiny_model, benchmark, tmp_path):
    save_model(tiny_model, tmp_path / "run", **PAINTS | {"turns": {"joints3d": 5}})
    output = tmp_path / "scores.json"
    scores = score(ScoreConfig(tmp_path / "run", benchmark, output, splits=("video",)))
    scored = read_scored(tmp_path / "scores.npz")
    assert scores["video"]["spearman"] is None and "NaN" not in output.read_text()
    assert np.isnan(scored.frames.energy).all() and len(scored.transfers.transfers) == 0


def test_bad_input_is_one_line_and_leaves_nothing(run, benchmark, tmp_path):
    without = shutil.copytree(benchmark, tmp_path / "without")
    (without / "prior.npz").unlink()
    good = ScoreConfig(run, benchmark, tmp_path / "out" / "scores.json", splits=("video",))
    for changes, says in [
        ({"benchmark": tmp_path}, "holds no synthworld"),
        ({"run": tmp_path}, "is not a run"),
        ({"splits": ("video", "nowhere")}, "nowhere"),
        ({"output": tmp_path / "out" / "scores.npz"}, r"\.json"),
        ({"output": tmp_path}, "it is a folder"),
        ({"benchmark": without}, r"no such file: .*prior\.npz"),
    ]:
        with pytest.raises(BadInputError, match=says) as caught:
            score(replace(good, **changes))
        assert "\n" not in str(caught.value)
        assert not (tmp_path / "out").exists()
