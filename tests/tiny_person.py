"""One articulated person before calibrated cameras, filed as the licensed benchmarks file theirs.

Everything is written out by name here and in tiny_h36m.py, tiny_mpi_inf_3dhp.py and tiny_lsp.py,
apart from the package: where a joint is in the room, what a camera sees of it, and in which order a
data set lists it. In images the wrists are discs that can be found again: red on the right, blue on
the left.
"""

import itertools
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from tests.tiny_videos import texture

WIDTH, HEIGHT = 200, 180
RED, BLUE = (255, 0, 0), (0, 0, 255)
_SCENE = texture(7, HEIGHT, WIDTH) // 4 + 80
H36M_17 = (
    *("pelvis", "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle"),
    *("spine", "neck", "nose", "head_top", "left_shoulder", "left_elbow", "left_wrist"),
    *("right_shoulder", "right_elbow", "right_wrist"),
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
