"""Human3.6M as h36m-fetch and as mmpose lay it out, written by name and read back by geometry."""

import pickle
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from tests.tiny_h36m import times_of, write_fetch, write_mmpose
from tests.tiny_person import BLUE, RED, camera, check_person, disc, person, read_image, stacked

from kinepose.benchmarks.h36m import TEST_SUBJECTS, TRAIN_SUBJECTS, frames_of_protocol, read_h36m
from kinepose.benchmarks.recording import Recording, fit_intrinsics, video_labels
from kinepose.geometry.skeleton import JOINT_NAMES
from kinepose.io.errors import BadInputError

CAMERAS = {"54138969": camera(0.3), "60457274": camera(2.0)}
FRAMES = np.arange(1, 25, 4)


class WritesAFile:
    """What a pickle may do to who opens it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.fixture(scope="module")
def fetched(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("fetch")
    for sequence in ("S1/TakingPhoto-2", "S9/Directions-1", "S11/Directions-2"):
        write_fetch(folder / "processed" / sequence, FRAMES, CAMERAS)
    return folder


@pytest.fixture(scope="module")
def mmposed(tmp_path_factory) -> Path:
    """Beside the tables lies a pickle that must not be opened."""
    folder = tmp_path_factory.mktemp("mmpose")
    names = {f"S9_Directions_1.{name}": at for name, at in CAMERAS.items()}
    names["S11_Directions.60457274"] = names["S11_Directions.54138969"] = camera(1.0)
    write_mmpose(folder, "test", FRAMES, names)
    write_mmpose(folder, "train", FRAMES, {"S1_WalkingDog.58860488": camera(-1.0)})
    write_mmpose(folder, "train", FRAMES[:2], {"S1_WalkingDog.58860488": camera(-1.0)}, fps=7)
    pickled = pickle.dumps(WritesAFile(folder / "opened"))
    (folder / "annotation_body3d" / "cameras.pkl").write_bytes(pickled)
    return folder


def by_name(folder: Path, subjects=TRAIN_SUBJECTS + TEST_SUBJECTS) -> dict[str, Recording]:
    return {recording.name: recording for recording in read_h36m(folder, subjects)}


@pytest.mark.parametrize("layout", ["fetched", "mmposed"])
def test_poses_are_the_person_in_each_cameras_frame(layout, request):
    recordings = by_name(request.getfixturevalue(layout))
    truth = stacked(person(times_of(FRAMES)), JOINT_NAMES)
    for name, seen_by in CAMERAS.items():
        recording = recordings[f"S9_Directions-1_{name}"]
        assert recording.frame.tolist() == [0, 4, 8, 12, 16, 20]
        assert (recording.subject, recording.camera) == ("S9", name)
        check_person(recording.joints3d)
        np.testing.assert_allclose(recording.joints3d, seen_by.seen(truth), atol=1e-2)
        projected = seen_by.project(recording.joints3d)
        np.testing.assert_allclose(recording.joints2d, projected, atol=1e-3)
        intrinsics = fit_intrinsics(recording.joints3d, recording.joints2d)
        known = np.concatenate([seen_by.focal, seen_by.centre])
        np.testing.assert_allclose(intrinsics, known, atol=0.01)


@pytest.mark.parametrize("layout", ["fetched", "mmposed"])
def test_images_show_the_right_wrist_where_its_label_is(layout, request):
    for recording in by_name(request.getfixturevalue(layout)).values():
        assert len(recording.images) == len(recording.frame)
        for path, joints2d in zip(recording.images, recording.joints2d, strict=True):
            for name, colour in (("right_wrist", RED), ("left_wrist", BLUE)):
                place = joints2d[JOINT_NAMES.index(name)]
                assert np.linalg.norm(disc(read_image(path), colour) - place) < 0.5


def test_actions_are_named_as_tables_name_them(fetched, mmposed):
    assert set(by_name(fetched)["S1_TakingPhoto-2_54138969"].action) == {"Photo"}
    assert set(by_name(mmposed)["S1_WalkingDog_58860488"].action) == {"WalkDog"}


def test_the_broken_video_is_left_out_and_its_other_cameras_in_one_protocol(fetched, mmposed):
    for folder, sequence in ((fetched, "S11_Directions-2"), (mmposed, "S11_Directions")):
        recordings = by_name(folder, ("S11",))
        assert list(recordings) == [f"{sequence}_60457274"]
        other = replace(recordings[f"{sequence}_60457274"], frame=np.arange(len(FRAMES)))
        assert frames_of_protocol(other, "h36m_all") is None
        assert frames_of_protocol(other, "h36m_frontal") is not None


def test_tables_with_most_frames_a_second_and_only_subjects_asked_for(mmposed, tmp_path):
    recordings = by_name(mmposed, ("S1",))
    assert [len(recording.frame) for recording in recordings.values()] == [len(FRAMES)]
    (tmp_path / "annotation_body3d" / "fps10").mkdir(parents=True)
    (tmp_path / "annotation_body3d" / "fps10" / "h36m_test.npz").write_text("broken")
    assert by_name(tmp_path, TRAIN_SUBJECTS) == {}


def test_no_pickle_is_opened(mmposed, tmp_path):
    by_name(mmposed)
    assert not (mmposed / "opened").exists()
    table = tmp_path / "annotation_body3d" / "fps10" / "h36m_test.npz"
    table.parent.mkdir(parents=True)
    harmful = np.array([WritesAFile(tmp_path / "opened")], object)
    np.savez(table, imgname=harmful, part=np.zeros((1, 17, 3)), S=np.zeros((1, 17, 4)))
    with pytest.raises(BadInputError, match="imgname is no plain array") as refused:
        by_name(tmp_path)
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "opened").exists()


def recording_of(count: int, step: int, camera: str) -> Recording:
    poses = np.zeros((count, 17, 3), np.float32)
    return Recording(
        name=f"S9_Walking-1_{camera}",
        subject="S9",
        camera=camera,
        action=np.full(count, "Walking"),
        frame=step * np.arange(count),
        joints2d=poses[..., :2],
        joints3d=poses,
        fps=50.0,
        images=tuple(Path(f"{step * number + 1}.jpg") for number in range(count)),
    )


@pytest.mark.parametrize(
    ("protocol", "camera", "frames"),
    [
        ("h36m_all", "54138969", list(range(131))),
        ("h36m_all", "60457274", list(range(131))),
        ("h36m_frontal", "54138969", None),
        ("h36m_frontal", "60457274", list(range(0, 131, 5))),
        ("h36m_64th", "54138969", [0, 64, 128]),
        ("h36m_64th", "60457274", [0, 64, 128]),
    ],
)
def test_each_protocol_has_its_cameras_and_frames(protocol, camera, frames):
    scored = frames_of_protocol(recording_of(131, 1, camera), protocol)
    if frames is None:
        assert scored is None
    else:
        assert scored.frame.tolist() == frames
        assert [path.name for path in scored.images] == [f"{frame + 1}.jpg" for frame in frames]


def test_frames_that_were_never_extracted_are_said_to_lack():
    """The default of h36m-fetch has every 64th frame of the test, mmpose's every 5th."""
    fetched, mmposed = recording_of(3, 64, "60457274"), recording_of(27, 5, "60457274")
    assert frames_of_protocol(fetched, "h36m_64th").frame.tolist() == [0, 64, 128]
    assert len(frames_of_protocol(mmposed, "h36m_frontal").frame) == 27
    for recording, protocol, says in [
        (fetched, "h36m_all", "3 of the 129 frames of h36m_all.*select_frame_indices"),
        (fetched, "h36m_frontal", "1 of the 26 frames"),
        (mmposed, "h36m_64th", "1 of the 3 frames.*--sample-rate 1"),
    ]:
        with pytest.raises(BadInputError, match=says):
            frames_of_protocol(recording, protocol)


def test_what_is_no_human36m_is_refused_in_one_line(tmp_path):
    annotations = tmp_path / "processed" / "S9" / "Directions-1" / "annot.h5"
    with pytest.raises(BadInputError, match=r"annot\.h5.*h36m_test\.npz.*vision\.imar\.ro") as none:
        by_name(tmp_path)
    assert "\n" not in str(none.value)
    annotations.parent.mkdir(parents=True)
    annotations.write_text("no HDF5")
    with pytest.raises(BadInputError, match="no HDF5 file, or is broken"):
        by_name(tmp_path)
    right = {"camera": np.ones(2, int), "frame": np.ones(2, int), "pose/2d": np.ones((2, 32, 2))}
    for wrong, says in [
        ({}, "it lacks pose/3d"),
        (
            {"pose/3d": np.ones((3, 32, 3))},
            r"\(3, 32, 3\), not float32 \(2, 32, 3\)",
        ),
        ({"pose/3d": np.ones((2, 17, 3))}, r"pose/3d is float64 \(2, 17, 3\)"),
        ({"pose/3d/inside": np.ones(2)}, "it lacks pose/3d"),
    ]:
        with h5py.File(annotations, "w") as file:
            for name, array in (right | wrong).items():
                file[name] = array
        with pytest.raises(BadInputError, match=says) as refused:
            by_name(tmp_path)
        assert "\n" not in str(refused.value)


def test_a_table_that_is_not_mmposes_is_refused_in_one_line(tmp_path):
    table = tmp_path / "annotation_body3d" / "fps10" / "h36m_test.npz"
    table.parent.mkdir(parents=True)
    good = {"imgname": np.array(["S9/S9_Eating.54138969/S9_Eating.54138969_000001.jpg"])}
    good |= {"part": np.ones((1, 17, 3)), "S": np.ones((1, 17, 4))}
    for wrong, says in [
        ({"imgname": np.array(["S9/cat.jpg"])}, "no known recording: S9/cat.jpg"),
        ({"S": np.ones((2, 17, 4))}, r"S is float64 \(2, 17, 4\), not float64 \(1, 17, 4\)"),
        ({"imgname": np.array([b"cat"])}, r"imgname is \|S3 \(1\), not text"),
        ({"part": np.ones((1, 32, 3))}, r"part is float64 \(1, 32, 3\)"),
    ]:
        np.savez(table, **(good | wrong))
        with pytest.raises(BadInputError, match=says):
            by_name(tmp_path)
    np.savez(table, imgname=good["imgname"])
    with pytest.raises(BadInputError, match="it lacks S, part"):
        by_name(tmp_path)
    table.write_bytes(table.read_bytes()[:100])
    with pytest.raises(BadInputError, match="is no npz file of mmpose's annotations, or is broken"):
        by_name(tmp_path)
    with table.open("wb") as file:
        np.save(file, good["part"])
    with pytest.raises(BadInputError, match="is no npz file of mmpose's annotations, or is broken"):
        by_name(tmp_path)


def test_joints_that_no_camera_shows_are_one_line_that_names_their_images():
    recording = Recording(
        name="S9_Walking_1",
        subject="S9",
        camera="1",
        action=np.full(4, "Walking"),
        frame=np.arange(4),
        joints2d=np.zeros((4, 17, 2), np.float32),
        joints3d=np.random.default_rng(0).normal(4000, 300, (4, 17, 3)).astype(np.float32),
        fps=50.0,
        images=(Path("images/S9/1.jpg"),) * 4,
    )
    with pytest.raises(BadInputError, match=r"^images/S9: no camera shows"):
        video_labels(recording)
