"""One articulated person before calibrated cameras, filed as the licensed benchmarks file theirs.

Everything is written out by name here, apart from the package: where a joint is in the room, what a
camera sees of it, and in which order a data set lists it. In images the wrists are discs that can
be found again: red on the right, blue on the left.
"""

import itertools
from dataclasses import dataclass
from pathlib import Path

import cv2
import h5py
import numpy as np
import scipy.io
from tests.tiny_videos import save_video, texture

WIDTH, HEIGHT = 200, 180
RED, BLUE = (255, 0, 0), (0, 0, 255)
_SCENE = texture(7, HEIGHT, WIDTH) // 4 + 80

H36M_32 = (
    *("pelvis", "right_hip", "right_knee", "right_ankle", "right_toe", "right_site"),
    *("left_hip", "left_knee", "left_ankle", "left_toe", "left_site"),
    *("pelvis", "spine", "neck", "nose", "head_top"),
    *("neck", "left_shoulder", "left_elbow", "left_wrist", "left_hand", "left_hand", "left_site"),
    "left_site",
    *("neck", "right_shoulder", "right_elbow", "right_wrist", "right_hand", "right_hand"),
    *("right_site", "right_site"),
)
H36M_17 = (
    *("pelvis", "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle"),
    *("spine", "neck", "nose", "head_top", "left_shoulder", "left_elbow", "left_wrist"),
    *("right_shoulder", "right_elbow", "right_wrist"),
)
TRAIN_28 = (
    *("spine3", "spine4", "spine2", "low_spine", "pelvis", "neck", "head", "head_top"),
    *("left_clavicle", "left_shoulder", "left_elbow", "left_wrist", "left_hand"),
    *("right_clavicle", "right_shoulder", "right_elbow", "right_wrist", "right_hand"),
    *("left_hip", "left_knee", "left_ankle", "left_foot", "left_toe"),
    *("right_hip", "right_knee", "right_ankle", "right_foot", "right_toe"),
)
TEST_17 = (
    *("head_top", "neck", "right_shoulder", "right_elbow", "right_wrist"),
    *("left_shoulder", "left_elbow", "left_wrist", "right_hip", "right_knee", "right_ankle"),
    *("left_hip", "left_knee", "left_ankle", "pelvis", "low_spine", "head"),
)
LSP_14 = (
    *("right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle"),
    *("right_wrist", "right_elbow", "right_shoulder"),
    *("left_shoulder", "left_elbow", "left_wrist", "neck", "head_top"),
)
BONES = {
    ("hip", "knee"): 450,
    ("knee", "ankle"): 440,
    ("shoulder", "elbow"): 290,
    ("elbow", "wrist"): 250,
}
"""Lengths of the limbs [mm]."""

Joints = dict[str, np.ndarray]


@dataclass(frozen=True)
class Camera:
    """R (world to x right, y down, z away), place [mm], and focal lengths and centre [px]."""

    rotation: np.ndarray
    place: np.ndarray
    focal: np.ndarray
    centre: np.ndarray

    def seen(self, world: np.ndarray) -> np.ndarray:
        """[mm] in the camera's frame."""
        return (world - self.place) @ self.rotation.T

    def project(self, seen: np.ndarray) -> np.ndarray:
        """[px]"""
        return self.focal * seen[..., :2] / seen[..., 2:] + self.centre


def camera(azimuth: float) -> Camera:
    """4 m from the middle of the room, at the height of a chest; azimuth 0 looks along y."""
    away = np.array([np.sin(azimuth), np.cos(azimuth), -0.08])
    away /= np.linalg.norm(away)
    right = np.array([np.cos(azimuth), -np.sin(azimuth), 0.0])
    rotation = np.stack([right, np.cross(away, right), away])
    place = np.array([0, 0, 1000.0]) - 4000 * away
    return Camera(rotation, place, np.array([211.0, 214.0]), np.array([103.0, 88.0]))


def person(times: np.ndarray) -> Joints:
    """Walks through the room [mm, z up], right arm swinging, left arm up; times from 0 to 1."""
    count, one = len(times), np.ones(len(times))
    heading = -1.2 + 0.9 * times  # from -y, to the camera of azimuth 0, towards x
    forward = np.stack([np.cos(heading), np.sin(heading), 0 * one], -1)
    left = np.stack([-np.sin(heading), np.cos(heading), 0 * one], -1)
    up = np.tile([0.0, 0.0, 1.0], (count, 1))

    def at(joint: np.ndarray, ahead=0.0, beside=0.0, above=0.0) -> np.ndarray:
        parts = ((ahead, forward), (beside, left), (above, up))
        return joint + sum(np.reshape(length * one, (-1, 1)) * axis for length, axis in parts)

    pelvis = np.stack([1200 * times - 600, 300 * np.sin(3 * times), 950 + 0 * times], -1)
    neck = at(pelvis, ahead=30, above=500)
    joints = {
        "pelvis": pelvis,
        "low_spine": at(pelvis, ahead=5, above=70),
        "spine2": at(pelvis, ahead=10, above=160),
        "spine": at(pelvis, ahead=15, above=250),
        "spine3": at(pelvis, ahead=20, above=340),
        "spine4": at(pelvis, ahead=25, above=430),
        "neck": neck,
        "head": at(neck, ahead=30, above=130),
        "nose": at(neck, ahead=110, above=110),
        "head_top": at(neck, ahead=30, above=230),
    }
    swing = 0.5 * np.sin(12 * times)
    for side, sign in (("left", 1), ("right", -1)):
        thigh, bend = sign * swing, 0.35 + 0.2 * np.cos(9 * times)
        hip = at(pelvis, beside=130 * sign)
        knee = at(hip, 450 * np.sin(thigh), 0, -450 * np.cos(thigh))
        ankle = at(knee, 440 * np.sin(thigh - bend), 0, -440 * np.cos(thigh - bend))
        shoulder = at(neck, beside=170 * sign, above=-40)
        if side == "left":
            rise = 0.4 + 0.3 * np.sin(8 * times)
            elbow = at(shoulder, 0, 290 * np.cos(rise), 290 * np.sin(rise))
            wrist = at(elbow, 0, 250 * np.sin(rise), 250 * np.cos(rise))
        else:
            elbow = at(shoulder, 290 * np.sin(swing), 0, -290 * np.cos(swing))
            wrist = at(elbow, 250 * np.sin(swing + 0.6), 0, -250 * np.cos(swing + 0.6))
        joints |= {
            f"{side}_hip": hip,
            f"{side}_knee": knee,
            f"{side}_ankle": ankle,
            f"{side}_foot": at(ankle, 80, 0, -60),
            f"{side}_toe": at(ankle, 180, 0, -70),
            f"{side}_clavicle": at(neck, beside=40 * sign, above=-30),
            f"{side}_shoulder": shoulder,
            f"{side}_elbow": elbow,
            f"{side}_wrist": wrist,
            f"{side}_hand": wrist + 0.3 * (wrist - elbow),
            f"{side}_site": wrist + 0.6 * (wrist - elbow),
        }
    return joints


def stacked(joints: Joints, names: tuple[str, ...]) -> np.ndarray:
    """[frames, joints, 3], in the order of a data set."""
    return np.stack([joints[name] for name in names], axis=1)


def drawn(camera: Camera, joints: Joints, row: int) -> np.ndarray:
    """What the camera sees at one moment: limbs before cloth, and the discs of the wrists."""
    image = _SCENE.copy()
    places = {name: camera.project(camera.seen(where[row])) for name, where in joints.items()}

    def pixel(name: str) -> tuple[int, int]:
        x, y = np.round(8 * (places[name] - 0.5)).astype(int).tolist()
        return x, y

    for names in (
        ("right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle"),
        ("right_wrist", "right_elbow", "right_shoulder", "left_shoulder", "left_elbow"),
        ("pelvis", "neck", "head_top"),
    ):
        for start, end in itertools.pairwise(names):
            cv2.line(image, pixel(start), pixel(end), (235, 235, 225), 7, cv2.LINE_AA, 3)
    for name, colour in (("right_wrist", RED), ("left_wrist", BLUE)):
        cv2.circle(image, pixel(name), 8 * 5, colour, -1, cv2.LINE_AA, 3)
    return image


def disc(image: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    """Where the disc of a colour is in an image [px]."""
    others = np.delete(image.astype(int), np.argmax(colour), axis=-1).max(-1)
    rows, columns = np.nonzero(image[..., np.argmax(colour)] - others > 50)
    return np.array([columns.mean(), rows.mean()]) + 0.5


def write_image(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])


def read_image(path: Path) -> np.ndarray:
    return cv2.imread(str(path), cv2.IMREAD_COLOR_RGB)


def write_fetch(folder: Path, frames: np.ndarray, cameras: dict[str, Camera]) -> None:
    """One sequence of h36m-fetch, processed/SUBJECT/ACTION-N; frames by their numbers from 1."""
    joints = person(times_of(frames))
    world = stacked(joints, H36M_32)
    arrays: dict[str, list[np.ndarray]] = {}
    for name, seen_by in cameras.items():
        seen = seen_by.seen(world)
        intrinsics = np.stack([seen_by.focal, seen_by.centre], -1).ravel()
        for key, value in {
            "pose/2d": seen_by.project(seen),
            "pose/3d": seen,
            "pose/3d-univ": 0.93 * seen,
            f"intrinsics/{name}": intrinsics,
            f"intrinsics-univ/{name}": intrinsics,
            "frame": frames,
            "camera": np.full(len(frames), int(name)),
            "subject": np.full(len(frames), int(folder.parent.name[1:])),
            "action": np.full(len(frames), 2),
            "subaction": np.full(len(frames), int(folder.name[-1])),
        }.items():
            arrays.setdefault(key, []).append(value)
        for row, number in enumerate(frames):
            image = drawn(seen_by, joints, row)
            write_image(folder / "imageSequence" / name / f"img_{number:06d}.jpg", image)
    with h5py.File(folder / "annot.h5", "w") as file:
        for key, values in arrays.items():
            file.create_dataset(key, data=np.concatenate(values))


def write_mmpose(
    folder: Path, split: str, frames: np.ndarray, recordings: dict[str, Camera], fps: int = 50
) -> None:
    """A table of mmpose with its images; recordings as S9_Directions_1.54138969."""
    joints = person(times_of(frames))
    world = stacked(joints, H36M_17)
    visible = np.ones((len(frames), 17, 1))
    names, parts, poses = [], [], []
    for name, seen_by in recordings.items():
        seen = seen_by.seen(world)
        parts.append(np.concatenate([seen_by.project(seen), visible], -1))
        poses.append(np.concatenate([seen / 1000, visible], -1))
        for row, number in enumerate(frames):
            names.append(f"{name.split('_')[0]}/{name}/{name}_{number:06d}.jpg")
            write_image(folder / "images" / names[-1], drawn(seen_by, joints, row))
    part = np.concatenate(parts)
    low, high = part[..., :2].min(1), part[..., :2].max(1)
    table = folder / "annotation_body3d" / f"fps{fps}" / f"h36m_{split}.npz"
    table.parent.mkdir(parents=True, exist_ok=True)
    np.savez(
        table,
        imgname=np.array(names),
        center=(low + high) / 2,
        scale=1.2 * (high - low).max(-1) / 200,
        part=part,
        S=np.concatenate(poses),
    )


def write_3dhp_sequence(folder: Path, count: int, cameras: list[Camera]) -> None:
    """S1/Seq1: annot.mat in MATLAB v5, a cell a camera, and videos of the cameras that are used."""
    joints = person(np.linspace(0, 1, count))
    world = stacked(joints, TRAIN_28)
    names = ("annot2", "annot3", "univ_annot3")
    cells = {name: np.empty((len(cameras), 1), object) for name in names}
    for number, seen_by in enumerate(cameras):
        seen = seen_by.seen(world)
        for name, value in zip(names, (seen_by.project(seen), seen, universal(seen)), strict=True):
            cells[name][number, 0] = value.reshape(count, -1)
        if number in (0, 1, 2, 4, 5, 6, 7, 8):
            video = folder / "imageSequence" / f"video_{number}.avi"
            video.parent.mkdir(parents=True, exist_ok=True)
            images = [drawn(seen_by, joints, row) for row in range(count)]
            save_video(video, images, codec="mjpeg")
    frames = {"frames": np.arange(count)[:, None], "cameras": np.arange(len(cameras))}
    scipy.io.savemat(folder / "annot.mat", cells | frames, format="5")


def write_3dhp_test(folder: Path, valid: list[int], activity: list[int], seen_by: Camera) -> None:
    """TS1: annot_data.mat in MATLAB v7.3; annotations of frames that are not valid are zeros."""
    count = len(valid)
    joints = person(np.linspace(0, 1, count))
    seen = seen_by.seen(stacked(joints, TEST_17))
    used = np.array(valid)[:, None, None]
    for row in range(count):
        image = drawn(seen_by, joints, row)
        write_image(folder / "imageSequence" / f"img_{row + 1:06d}.jpg", image)
    of_matlab = {  # dimensions x joints x people x frames, as the data set's own scripts see them
        "annot2": used * seen_by.project(seen),
        "annot3": used * seen,
        "univ_annot3": used * universal(seen),
    }
    write_mat73(
        folder / "annot_data.mat",
        {name: value.transpose(2, 1, 0)[:, :, None] for name, value in of_matlab.items()}
        | {"valid_frame": np.array([valid], float), "activity_annotation": np.array([activity])},
    )


def write_mat73(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """MATLAB's v7.3: HDF5 behind a head of 512 bytes, column after column, so axes are reversed."""
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, array in arrays.items():
            dataset = file.create_dataset(name, data=np.ascontiguousarray(array.T))
            dataset.attrs["MATLAB_class"] = np.bytes_("double")
    with path.open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64, HDF5 schema 1.00 .".ljust(124))
        file.write(b"\x00\x02IM")


def write_lsp(folder: Path, count: int, seen_by: Camera) -> None:
    """joints.mat (3 x 14 x images) and images/im0001.jpg; right knees are marked as occluded."""
    joints = person(np.linspace(0, 1, count))
    places = seen_by.project(seen_by.seen(stacked(joints, LSP_14)))
    occluded = np.zeros((count, 14, 1))
    occluded[:, LSP_14.index("right_knee")] = 1
    for row in range(count):
        image = drawn(seen_by, joints, row)
        write_image(folder / "images" / f"im{row + 1:04d}.jpg", image)
    arrays = {"joints": np.concatenate([places, occluded], -1).transpose(2, 1, 0)}
    scipy.io.savemat(folder / "joints.mat", arrays, format="5")


def times_of(frames: np.ndarray) -> np.ndarray:
    """When frames of Human3.6M were taken, so that all who file one of them agree."""
    return (frames - 1) / 24


def universal(seen: np.ndarray) -> np.ndarray:
    """The person a tenth smaller, where his feet were."""
    return np.array([0, 150.0, 0]) + 0.9 * seen


def check_person(joints3d: np.ndarray, size: float = 1.0) -> None:
    """Our 17 joints are the person's in a camera's frame [mm], by what bodies are like."""
    ours = dict(zip(H36M_17, np.moveaxis(np.asarray(joints3d, float), 1, 0), strict=True))

    def bone(start: str, end: str) -> np.ndarray:
        return ours[end] - ours[start]

    for (start, end), length in BONES.items():
        for side in ("left", "right"):
            lengths = np.linalg.norm(bone(f"{side}_{start}", f"{side}_{end}"), axis=-1)
            np.testing.assert_allclose(lengths, size * length, atol=0.01)
    down = [ours[name][:, 1] for name in ("head_top", "neck", "spine", "pelvis", "right_knee")]
    assert (np.diff(down, axis=0) > 20).all()
    assert (ours["left_wrist"][:, 1] < ours["left_shoulder"][:, 1]).all()
    assert (ours["right_wrist"][:, 1] > ours["right_shoulder"][:, 1]).all()
    # Knees point where the face does, and who looks there has the left hip on his left.
    ahead = sum(
        bone(f"{side}_hip", f"{side}_knee") / 450 - bone(f"{side}_knee", f"{side}_ankle") / 440
        for side in ("left", "right")
    )
    up = bone("pelvis", "neck")
    to_the_left = np.cross(up, ahead)
    for joint in ("hip", "shoulder"):
        across = bone(f"right_{joint}", f"left_{joint}")
        assert ((across * to_the_left).sum(-1) > 0).all()
    assert ((bone("neck", "nose") * np.cross(to_the_left, up)).sum(-1) > 0).all()
