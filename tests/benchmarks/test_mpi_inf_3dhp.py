"""MPI-INF-3DHP in MATLAB v5 and v7.3, written by name and read back by geometry."""

from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io
from tests.tiny_mpi_inf_3dhp import universal, write_3dhp_sequence, write_3dhp_test
from tests.tiny_person import BLUE, RED, camera, check_person, disc, person, read_image, stacked

from kinepose.benchmarks.mpi_inf_3dhp import TRAIN_CAMERAS, read_test, read_train
from kinepose.benchmarks.recording import fit_intrinsics
from kinepose.geometry.skeleton import JOINT_NAMES
from kinepose.io.errors import BadInputError
from kinepose.video.reading import read_frames

COUNT = 12
CAMERAS = [camera(0.45 * number) for number in range(14)]
STANDINS = {"spine": "low_spine", "nose": "head"}
"""What stands for two of our joints that the data set lacks."""
TRUTH = stacked(
    person(np.linspace(0, 1, COUNT)), tuple(STANDINS.get(name, name) for name in JOINT_NAMES)
)


@pytest.fixture(scope="module")
def train(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("3dhp")
    write_3dhp_sequence(folder / "S1" / "Seq1", COUNT, CAMERAS)
    write_3dhp_sequence(folder / "S2" / "Seq2", 2, CAMERAS)
    return folder


@pytest.fixture(scope="module")
def test(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("3dhp_test")
    valid, activity = [0, 1, 1, 0, 1, 1, 1, 1, 1, 1, 0, 0], [0, 1, 2, 0, 3, 4, 5, 6, 7, 7, 0, 0]
    write_3dhp_test(folder / "TS1", valid, activity, CAMERAS[1])
    write_3dhp_test(folder / "TS5", [1, 1], [6, 6], CAMERAS[3])
    return folder


def wrists_are_where_labels_say(image: np.ndarray, joints2d: np.ndarray) -> bool:
    return all(
        np.linalg.norm(disc(image, colour) - joints2d[JOINT_NAMES.index(name)]) < 1.0
        for name, colour in (("right_wrist", RED), ("left_wrist", BLUE))
    )


def test_training_poses_are_the_person_in_each_cameras_frame(train):
    recordings = {recording.name: recording for recording in read_train(train, ("S1",))}
    assert list(recordings) == [f"S1_Seq1_{number}" for number in (0, 1, 2, 4, 5, 6, 7, 8)]
    for number in TRAIN_CAMERAS:
        recording, seen_by = recordings[f"S1_Seq1_{number}"], CAMERAS[number]
        check_person(recording.joints3d)
        check_person(recording.universal3d, size=0.9)
        np.testing.assert_allclose(recording.joints3d, seen_by.seen(TRUTH), atol=1e-2)
        projected = seen_by.project(recording.joints3d)
        np.testing.assert_allclose(recording.joints2d, projected, atol=1e-3)
        intrinsics = fit_intrinsics(recording.joints3d, recording.joints2d)
        known = np.concatenate([seen_by.focal, seen_by.centre])
        np.testing.assert_allclose(intrinsics, known, atol=0.01)


def test_videos_show_the_right_wrist_where_its_label_is(train):
    for recording in read_train(train, ("S1",)):
        frames = list(read_frames(recording.video))
        assert [frame.index for frame in frames] == recording.frame.tolist()
        for frame, joints2d in zip(frames, recording.joints2d, strict=True):
            assert wrists_are_where_labels_say(frame.image, joints2d)


def test_all_people_of_the_training_set_unless_some_are_asked_for(train):
    assert {recording.subject for recording in read_train(train)} == {"S1", "S2"}
    assert {recording.subject for recording in read_train(train, ("S2",))} == {"S2"}


def test_videos_may_lie_beside_the_annotations(train, tmp_path):
    (tmp_path / "S1" / "Seq1").mkdir(parents=True)
    annotations = (train / "S2" / "Seq2" / "annot.mat").read_bytes()
    (tmp_path / "S1" / "Seq1" / "annot.mat").write_bytes(annotations)
    video = tmp_path / "S1" / "Seq1" / "video_4.avi"
    video.touch()
    assert [r.video for r in read_train(tmp_path) if r.camera == "4"] == [video]


def test_test_poses_are_the_person_in_the_valid_frames(test):
    first, outdoors = read_test(test)
    assert (first.name, outdoors.name) == ("TS1", "TS5")
    rows = [1, 2, 4, 5, 6, 7, 8, 9]
    assert first.frame.tolist() == rows
    check_person(first.joints3d)
    check_person(first.universal3d, size=0.9)
    truth = CAMERAS[1].seen(TRUTH[rows])
    np.testing.assert_allclose(first.joints3d, truth, atol=1e-2)
    np.testing.assert_allclose(first.universal3d, universal(truth), atol=1e-2)
    np.testing.assert_allclose(first.joints2d, CAMERAS[1].project(truth), atol=1e-3)
    for path, joints2d in zip(first.images, first.joints2d, strict=True):
        assert wrists_are_where_labels_say(read_image(path), joints2d)


def test_activities_have_the_names_of_the_papers_table(test):
    first, outdoors = read_test(test)
    assert first.action.tolist() == [
        *("Stand-Walk", "Exercise", "Sit", "Crouch-Reach", "Floor", "Sports", "Misc", "Misc")
    ]
    assert outdoors.action.tolist() == ["Sports", "Sports"]


@pytest.mark.parametrize(("read", "says"), [(read_train, "video_0.avi"), (read_test, "TS1")])
def test_a_missing_data_set_is_one_line_with_its_address(read, says, tmp_path):
    with pytest.raises(BadInputError, match=f"{says}.*vcai.mpi-inf.mpg.de") as refused:
        list(read(tmp_path))
    assert "\n" not in str(refused.value)


def test_broken_annotations_are_refused_in_one_line(train, test, tmp_path):
    training = tmp_path / "S1" / "Seq1" / "annot.mat"
    testing = tmp_path / "TS1" / "annot_data.mat"
    for path in (training, testing):
        path.parent.mkdir(parents=True)
    arrays = scipy.io.loadmat(train / "S2" / "Seq2" / "annot.mat")
    short = arrays["annot3"].copy()
    short[4, 0] = short[4, 0][:1]
    for wrong, says in [
        (b"no MATLAB", "no MATLAB file, or is broken"),
        ((test / "TS1" / "annot_data.mat").read_bytes(), "no MATLAB file, or is broken"),
        ({"annot3": arrays["annot3"][:8]}, "no training set of MPI-INF-3DHP, or is broken"),
        ({"annot3": short}, r"camera 4: annot3 is float64 \(1, 84\), not float32 \(2, 84\)"),
        ({"annot3": arrays["annot2"]}, r"annot3 is float64 \(2, 56\)"),
    ]:
        if isinstance(wrong, bytes):
            training.write_bytes(wrong)
        else:
            names = ("annot2", "annot3", "univ_annot3")
            scipy.io.savemat(training, {name: arrays[name] for name in names} | wrong)
        with pytest.raises(BadInputError, match=says) as refused:
            list(read_train(tmp_path))
        assert "\n" not in str(refused.value)
    testing.write_bytes((train / "S1" / "Seq1" / "annot.mat").read_bytes())
    with pytest.raises(BadInputError, match="no HDF5 file, or is broken"):
        list(read_test(tmp_path))
    with h5py.File(testing, "w") as file:
        file["annot2"] = np.ones((2, 17, 1, 5))  # as MATLAB's own axes go
        for name in ("annot3", "univ_annot3", "valid_frame", "activity_annotation"):
            file[name] = np.ones(5)
    with pytest.raises(BadInputError, match=r"annot2 is float64 \(2, 17, 1, 5\), not float32"):
        list(read_test(tmp_path))
