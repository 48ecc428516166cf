from pathlib import Path

import cv2
import numpy as np
import pytest
from tests.tiny_videos import FPS, save_video, texture, walker_frames

from kinepose.video.shots import Stretch, read_stretches


def stretches(video: Path, longest: float = 60.0, fps: float = 0.0) -> list[Stretch]:
    return list(read_stretches(video, fps, longest, lambda frame: np.zeros((0, 5))))


@pytest.fixture(scope="module")
def video_with_a_cut(tmp_path_factory: pytest.TempPathFactory) -> Path:
    frames = walker_frames(2.0, seed=0)[0] + walker_frames(1.5, seed=7)[0]
    return save_video(tmp_path_factory.mktemp("cut") / "video.mp4", frames)


def test_a_hard_cut_is_found_to_the_frame(video_with_a_cut: Path) -> None:
    first, second = stretches(video_with_a_cut)
    assert (first.frames[0], first.frames[-1], second.frames[0]) == (0, 23, 24)
    assert len(second.frames) == round(1.5 * FPS)
    assert (first.new_shot, second.new_shot) == (True, True)


def test_a_cut_is_found_at_a_variable_frame_rate(tmp_path: Path) -> None:
    frames = walker_frames(2.0, seed=0)[0] + walker_frames(2.0, seed=7)[0]
    steps = np.random.default_rng(0).choice([0.03, 0.08, 0.2], len(frames))
    video = save_video(tmp_path / "video.mkv", frames, np.cumsum(steps).tolist())
    assert [part.frames[0] for part in stretches(video)] == [0, 24]


@pytest.mark.parametrize("pan", [0.0, 2.0])
def test_neither_walking_nor_camera_motion_nor_a_flash_is_a_cut(tmp_path: Path, pan: float) -> None:
    frames, _, _ = walker_frames(2.5, pan=pan)
    frames[14] = 255 - frames[14]
    (only,) = stretches(save_video(tmp_path / "video.mp4", frames))
    assert only.frames == list(range(len(frames)))


def test_long_shots_are_given_in_parts(video_with_a_cut: Path) -> None:
    parts = stretches(video_with_a_cut, longest=1.0)
    assert [frame for part in parts for frame in part.frames] == list(range(42))
    assert all(part.times[-1] - part.times[0] <= 1.0 for part in parts)
    assert [part.frames[0] for part in parts if part.new_shot] == [0, 24]


def test_a_video_thinned_out_keeps_its_cut_and_its_frame_numbers(video_with_a_cut: Path) -> None:
    first, second = stretches(video_with_a_cut, fps=6.0)
    assert first.frames == list(range(0, 24, 2))
    assert second.frames == list(range(24, 42, 2))


def test_thumbnails_are_small(tmp_path: Path) -> None:
    for (height, width), small in [((480, 960), (128, 256)), ((50, 20), (50, 20))]:
        image = cv2.resize(texture(0), (width, height), interpolation=cv2.INTER_CUBIC)
        video = save_video(tmp_path / "video.mkv", [image] * 10)
        (only,) = stretches(video)
        assert np.stack(only.thumbnails).shape == (10, *small, 3)
        mean = cv2.resize(image, small[::-1], interpolation=cv2.INTER_AREA)
        assert np.abs(only.thumbnails[0].astype(int) - mean).mean() < 5


@pytest.mark.parametrize(("width", "closer"), [(768, 384), (766, 256), (200, 200)])
def test_people_are_looked_for_more_closely_where_there_is_more_to_see(
    tmp_path: Path, width: int, closer: int
) -> None:
    image = cv2.resize(texture(0), (width, 64), interpolation=cv2.INTER_CUBIC)
    video = save_video(tmp_path / "video.mkv", [image] * 10)
    (only,) = read_stretches(video, 0.0, 60.0, lambda frame: np.zeros((0, 5)), closely=True)
    assert {image.shape[1] for image in only.closer} == {closer}
    assert {image.shape[1] for image in only.thumbnails} == {min(width, 256)}
