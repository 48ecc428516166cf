"""The licensed benchmarks on their roads: convert, prepare, label; and convert, predict, score."""

import csv
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.tiny_h36m import times_of, write_fetch, write_mmpose
from tests.tiny_lsp import write_lsp
from tests.tiny_mpi_inf_3dhp import write_3dhp_sequence, write_3dhp_test
from tests.tiny_person import BLUE, RED, camera, disc, person, stacked

from kinepose.artifacts.model_files import save_model
from kinepose.artifacts.pose_files import read_labels
from kinepose.benchmarks.config import Benchmark, ConvertConfig
from kinepose.benchmarks.convert import convert
from kinepose.cli import main
from kinepose.dataset.clip_set import ClipSet, read_clips
from kinepose.dataset.config import PrepareConfig
from kinepose.dataset.labels import read_clip_labels
from kinepose.dataset.pairs import load_images
from kinepose.dataset.prepare import prepare
from kinepose.evaluation.config import EvaluateConfig
from kinepose.evaluation.evaluate import evaluate
from kinepose.evaluation.metrics import p_mpjpe
from kinepose.geometry.skeleton import JOINT_NAMES
from kinepose.inference.config import PredictConfig
from kinepose.inference.predict import predict
from kinepose.io.errors import BadInputError
from kinepose.video.box_tables import read_boxes
from kinepose.video.config import PeopleConfig
from kinepose.video.reading import read_frames

COUNT = 20
CAMERAS = {"54138969": camera(0.3), "60457274": camera(2.0)}
RIG = [camera(0.45 * number) for number in range(14)]
SEQUENCES = ("S9_Walking", "S11_Posing")
RIGHT_WRIST, LEFT_WRIST = JOINT_NAMES.index("right_wrist"), JOINT_NAMES.index("left_wrist")


def convert_to(output: Path, folder: Path, benchmark: Benchmark, *subjects: str) -> list[Path]:
    convert(ConvertConfig(folder, benchmark, output, subjects))
    return sorted((output / "films").iterdir())


def prepared(output: Path, videos: list[Path]) -> ClipSet:
    people = PeopleConfig(detector="file", boxes=output / "boxes.csv", side="frame")
    clips = output / "clips"
    prepare(
        PrepareConfig(
            tuple(videos), clips, people, shortest_clip=0.3, crop_size=128, whole=False, workers=1
        )
    )
    return read_clips([clips])


def check_labels_of_clips(clips: ClipSet, output: Path, truth: np.ndarray) -> None:
    """Discs lie where 2D labels say, and 3D labels are the person of that frame."""
    labels = read_clip_labels([output / "labels"], clips, 1.0, seed=0)
    assert labels.rows.tolist() == list(range(len(clips.table)))
    images = (255 * load_images(clips, labels.rows, 128)).permute(0, 2, 3, 1).numpy()
    for image, joints2d in zip(images, 64 * (labels.joints2d + 1), strict=True):
        for joint, colour in ((RIGHT_WRIST, RED), (LEFT_WRIST, BLUE)):
            assert np.linalg.norm(disc(image, colour) - joints2d[joint]) < 1.5
    frames = clips.table["frame"].to_numpy()[labels.rows]
    known = torch.from_numpy(1700 * labels.joints3d).double()
    assert p_mpjpe(known, torch.from_numpy(truth[frames])).max() < 0.01
    assert (labels.joints3d[:, JOINT_NAMES.index("left_hip"), 1] > 0).all()


def test_human36m_becomes_clips_with_labels(tmp_path):
    sequence = tmp_path / "h36m" / "processed" / "S5" / "Walking-1"
    write_fetch(sequence, np.arange(1, COUNT + 1), CAMERAS)
    write_fetch(sequence.parents[1] / "S1" / "Eating-1", np.arange(1, 4), CAMERAS)
    videos = convert_to(tmp_path / "out", tmp_path / "h36m", "h36m_train", "S5")
    names = ["S5_Walking-1_54138969", "S5_Walking-1_60457274"]
    assert [video.name for video in videos] == [f"{name}.mp4" for name in names]
    labels = read_labels(tmp_path / "out" / "labels" / f"{names[0]}.npz")
    assert labels.fps == 50
    assert labels.focal == pytest.approx((211 + 214) / 2, abs=0.01)
    clips = prepared(tmp_path / "out", videos[1:])
    truth = stacked(person(times_of(np.arange(1, COUNT + 1))), JOINT_NAMES)
    check_labels_of_clips(clips, tmp_path / "out", truth)


def test_frames_left_out_make_a_slower_video(tmp_path):
    """h36m-fetch keeps of the training set what moved: here 8 frames of 22, or 18 a second."""
    frames = np.array([1, 2, 4, 9, 11, 13, 17, 22])
    write_fetch(tmp_path / "processed" / "S6" / "Posing-1", frames, {"58860488": camera(1.0)})
    (video,) = convert_to(tmp_path / "out", tmp_path, "h36m_train")
    labels = read_labels(tmp_path / "out" / "labels" / "S6_Posing-1_58860488.npz")
    assert labels.frame.tolist() == list(range(8))
    assert labels.fps == pytest.approx(50 / 3)
    shown = list(read_frames(video))
    assert [frame.time for frame in shown] == pytest.approx([0.06 * number for number in range(8)])
    for frame, joints2d in zip(shown, labels.joints2d, strict=True):
        assert np.linalg.norm(disc(frame.image, RED) - joints2d[RIGHT_WRIST]) < 1.5


def test_mpi_inf_3dhp_becomes_clips_with_labels(tmp_path):
    write_3dhp_sequence(tmp_path / "3dhp" / "S1" / "Seq1", COUNT, RIG)
    videos = convert_to(tmp_path / "out", tmp_path / "3dhp", "mpi_inf_3dhp_train")
    assert [video.name for video in videos] == [
        f"S1_Seq1_{n}.avi" for n in (0, 1, 2, 4, 5, 6, 7, 8)
    ]
    clips = prepared(tmp_path / "out", videos[4:5])
    truth = stacked(person(np.linspace(0, 1, COUNT)), tuple(map(as_3dhp, JOINT_NAMES)))
    check_labels_of_clips(clips, tmp_path / "out", truth)


def as_3dhp(name: str) -> str:
    return {"spine": "low_spine", "nose": "head"}.get(name, name)


def write_all_tests(folder: Path) -> None:
    for sequence in ("S9/Walking-1", "S11/Posing-1"):
        write_fetch(folder / "h36m" / "processed" / sequence, np.arange(1, 7), CAMERAS)
    write_3dhp_test(folder / "3dhp" / "TS1", [1, 0, 1, 1], [1, 1, 2, 2], RIG[1])
    write_3dhp_test(folder / "3dhp" / "TS6", [1, 1], [6, 6], RIG[0])
    write_lsp(folder / "lsp", 6, camera(0.4))


def test_tests_are_predicted_and_scored(tmp_path, tiny_model):
    write_all_tests(tmp_path)
    save_model(tiny_model, tmp_path / "run")
    for benchmark, folder, images in [
        (
            "h36m_all",
            "h36m",
            {f"{sequence}-1_{name}": 6 for sequence in SEQUENCES for name in CAMERAS},
        ),
        ("mpi_inf_3dhp_test", "3dhp", {"TS1": 3, "TS6": 2}),
        ("lsp", "lsp", {"lsp": 3}),
    ]:
        output, poses = tmp_path / benchmark, tmp_path / "poses" / benchmark
        videos = convert_to(output, tmp_path / folder, benchmark)
        assert {video.name: len(list(video.iterdir())) for video in videos} == images
        people = PeopleConfig(detector="file", boxes=output / "boxes.csv")
        for video in videos:
            predict(
                PredictConfig(
                    *(video, poses / video.name, tmp_path / "run", people),
                    energy=False,
                    overlay=False,
                    viewer=False,
                    device="cpu",
                )
            )
        metrics = tmp_path / f"{benchmark}.json"
        scores = evaluate(EvaluateConfig(poses, tmp_path / folder, metrics, benchmark))
        total = sum(images.values())
        assert scores["frames"] == {"labelled": total, "matched": total, "missing": 0}
        if benchmark == "lsp":
            assert 0 <= scores["torso_pck"] <= 1
        else:
            assert 0 < scores["p_mpjpe"] < scores["n_mpjpe"] < scores["mpjpe"] < 3000
            assert 0 < scores["auc"] < scores["pck"] < 1


@pytest.mark.parametrize("benchmark", ["h36m_frontal", "mpi_inf_3dhp_test", "lsp"])
def test_images_boxes_and_labels_belong_together(benchmark, tmp_path):
    """Also where frames are left out: an image's box has both its wrists, where labels say."""
    write_all_tests(tmp_path)
    folder = {"h36m_frontal": "h36m", "mpi_inf_3dhp_test": "3dhp", "lsp": "lsp"}[benchmark]
    videos = convert_to(tmp_path / "out", tmp_path / folder, benchmark)
    boxes = read_boxes(tmp_path / "out" / "boxes.csv")
    assert set(boxes) == {video.name for video in videos}
    for video in videos:
        shown = list(read_frames(video))
        assert list(boxes[video.name][0]) == [frame.index for frame in shown]
        if benchmark != "lsp":
            labels = read_labels(tmp_path / "out" / "labels" / f"{video.name}.npz")
            assert labels.frame.tolist() == [frame.index for frame in shown]
        for frame in shown:
            x0, y0, x1, y1 = boxes[video.name][0][frame.index]
            for joint, colour in ((RIGHT_WRIST, RED), (LEFT_WRIST, BLUE)):
                x, y = disc(frame.image, colour)
                assert x0 < x < x1
                assert y0 < y < y1
                if benchmark != "lsp":
                    place = labels.joints2d[frame.index, joint]
                    assert np.linalg.norm([x, y] - place) < 0.6


def test_another_protocol_in_the_same_folder_leaves_no_image_of_the_first(tmp_path):
    write_all_tests(tmp_path)
    convert_to(tmp_path / "out", tmp_path / "h36m", "h36m_all")
    convert_to(tmp_path / "out", tmp_path / "h36m", "h36m_frontal")
    folder = tmp_path / "out" / "films" / "S9_Walking-1_60457274"
    assert [link.resolve().name for link in sorted(folder.iterdir())] == [
        *("img_000001.jpg", "img_000006.jpg")
    ]
    with (tmp_path / "out" / "boxes.csv").open() as file:
        assert {row["film"] for row in csv.DictReader(file)} == {
            *("S9_Walking-1_60457274", "S11_Posing-1_60457274")
        }


def test_a_second_call_encodes_no_video_again(tmp_path):
    write_mmpose(tmp_path, "train", np.arange(1, 4), {"S7_Eating.55011271": camera(1.0)}, fps=50)
    (video,) = convert_to(tmp_path / "out", tmp_path, "h36m_train")
    made, boxes = video.stat().st_mtime_ns, (tmp_path / "out" / "boxes.csv").read_text()
    convert_to(tmp_path / "out", tmp_path, "h36m_train")
    assert video.stat().st_mtime_ns == made
    assert (tmp_path / "out" / "boxes.csv").read_text() == boxes


def test_what_is_missing_is_one_line_and_nothing_half_written_stays(tmp_path):
    write_all_tests(tmp_path)
    write_fetch(tmp_path / "h36m" / "processed" / "S1" / "Eating-1", np.arange(1, 6), CAMERAS)
    write_3dhp_sequence(tmp_path / "3dhp" / "S1" / "Seq1", 2, RIG)
    for lost in (
        *("h36m/processed/S9/Walking-1/imageSequence/60457274/img_000006.jpg",),
        *("h36m/processed/S1/Eating-1/imageSequence/54138969/img_000003.jpg",),
        *("3dhp/TS6/imageSequence/img_000002.jpg", "3dhp/S1/Seq1/imageSequence/video_5.avi"),
        "lsp/images/im0006.jpg",
    ):
        (tmp_path / lost).unlink()
    for benchmark, folder, says, subjects in [
        ("h36m_all", "h36m", "img_000006.jpg", ()),
        ("h36m_train", "h36m", "img_000003.jpg", ()),
        ("mpi_inf_3dhp_test", "3dhp", "img_000002.jpg", ()),
        ("mpi_inf_3dhp_train", "3dhp", "video_5.avi", ()),
        ("lsp", "lsp", "im0006.jpg", ()),
        ("h36m_64th", "h36m", "nothing of what h36m_64th is made from of S2", ("S2",)),
        ("mpi_inf_3dhp_test", "3dhp", "made from of TS3", ("TS3",)),
        ("h36m_all", "lsp", "vision.imar.ro", ()),
        ("lsp", "3dhp", "sam.johnson.io", ()),
    ]:
        output = tmp_path / f"out_{benchmark}"
        with pytest.raises(BadInputError, match=says) as refused:
            convert_to(output, tmp_path / folder, benchmark, *subjects)
        assert "\n" not in str(refused.value)
        assert not (output / "boxes.csv").exists()
        assert not [*output.rglob("*.mp4"), *output.rglob("*.part*")]


def test_convert_as_a_user_types_it(tmp_path, monkeypatch, capsys):
    write_lsp(tmp_path / "lsp", 4, camera(0.4))
    words = ["kinepose", "convert", str(tmp_path / "lsp"), "--benchmark", "lsp", "--output"]
    monkeypatch.setattr(sys, "argv", [*words, str(tmp_path / "out")])
    main()
    assert "2 labelled frames of 1 videos" in capsys.readouterr().out
    (tmp_path / "lsp" / "joints.mat").unlink()
    monkeypatch.setattr(sys, "argv", [*words, str(tmp_path / "other")])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("kinepose: no Leeds Sports Pose in ")
    assert not (tmp_path / "other").exists()
