"""Frames that are kept while people are looked for, beside frames decoded again."""

import io
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from tests.tiny_videos import save_video, walker_frames, write_boxes

from kinepose.method.config import ModelConfig
from kinepose.video import frame_cache
from kinepose.video.config import PeopleConfig
from kinepose.video.cropping import crop_image
from kinepose.video.display import ImageArray
from kinepose.video.frame_cache import KeptFrames, Shrinking
from kinepose.video.people import Shot, Survey, cropped_as, people_in_video
from kinepose.video.reading import read_frames, video_info

LARGER = 8
"""Times as wide as the other tests' videos are these."""


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two shots of one second each."""
    frames = [*walker_frames(1.0)[0], *walker_frames(1.0, seed=7)[0]]
    large = [cv2.resize(frame, None, fx=LARGER, fy=LARGER) for frame in frames]
    return save_video(tmp_path_factory.mktemp("large") / "large.mp4", large)


@pytest.fixture(scope="module")
def people(video: Path) -> dict[str, PeopleConfig]:
    boxes = LARGER * np.tile(walker_frames(1.0)[1], (2, 1))
    path = write_boxes(video.with_suffix(".csv"), boxes, video.name, track=0)
    told = {"file": PeopleConfig("file", path), "motion": PeopleConfig("motion")}
    return {name: cropped_as(config, ModelConfig()) for name, config in told.items()}


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[Shot]:
    """Which shots' frames were not kept."""
    shots, developed = [], frame_cache._developed

    def noting(shot, *others):
        shots.append(shot)
        return developed(shot, *others)

    monkeypatch.setattr(frame_cache, "_developed", noting)
    return shots


def read(
    video: Path, people: PeopleConfig, folder: Path, crop_size: int, guess: bool = True
) -> tuple[Survey, list[tuple[Shrinking, list[ImageArray]]]]:
    kept = KeptFrames(folder, video_info(video), crop_size, people, guess)
    survey = people_in_video(video, people, keep=kept.keep)
    frames, shots = enumerate(read_frames(video)), []
    for shot in survey.shots:
        places = range(shot.end - shot.first)
        crops = [track.crops for track in survey.tracks]
        small, images = kept.of_shot(shot, crops, places, frames)
        numbers, given = zip(*images, strict=True)
        assert numbers == tuple(places)
        shots.append((small, list(given)))
    kept.close()
    return survey, shots


@pytest.mark.parametrize("detector", ["file", "motion"])
def test_crops_of_small_frames_are_those_of_whole_frames(video, people, tmp_path, detector):
    survey, shots = read(video, people[detector], tmp_path, 64)
    images = [(small, image) for small, given in shots for image in given]
    whole = [frame.image for frame in read_frames(video)]
    assert len(images) == len(whole) == 24
    for track in survey.tracks:
        for frame, crop in zip(track.frames, track.crops, strict=True):
            small, image = images[frame]
            assert image.shape[1::-1] == small.size < (1024, 768)
            expected = crop_image(whole[frame], crop, 64).astype(float)
            given = crop_image(image, crop, 64, small.scale)
            assert np.abs(given - expected).mean() < 2


def test_frames_are_kept_and_what_does_not_fit_is_decoded(
    video, people, tmp_path, monkeypatch, decoded
):
    _, expected = read(video, people["file"], tmp_path, 64)
    (size, _), (_, _) = ((small.size, given) for small, given in expected)
    read(video, people["file"], tmp_path, 64)
    assert not decoded
    monkeypatch.setattr(frame_cache, "_KEPT_BYTES", 3 * size[0] * size[1] * 15)
    _, again = read(video, people["file"], tmp_path, 64)
    assert [shot.first for shot in decoded] == [12], "the second shot only fits in part"
    for (one, images), (other, more) in zip(expected, again, strict=True):
        assert one == other and np.array_equal(images, more)


def test_every_third_frame_is_kept_and_others_are_decoded(video, people, tmp_path, decoded):
    _, expected = read(video, people["file"], tmp_path, 64)
    kept = KeptFrames(tmp_path, video_info(video), 64, people["file"], True, rate=4.0)
    survey = people_in_video(video, people["file"], keep=kept.keep)
    crops = [track.crops for track in survey.tracks]
    for shot, (_, whole) in zip(survey.shots, expected, strict=True):
        for places in ([0, 3, 9], [0, 4]):
            frames = enumerate(read_frames(video))
            given = dict(kept.of_shot(shot, crops, places, frames)[1])
            assert list(given) == places
            assert all(np.array_equal(image, whole[place]) for place, image in given.items())
    assert [shot.first for shot in decoded] == [0, 12], "for the frame that was not kept"
    kept.close()


def test_people_smaller_than_was_guessed_are_cut_from_larger_frames(
    video, people, tmp_path, decoded
):
    """For 160 px crops of 768 / 2 px may be two fifths; those of 0.8 x 352 px be two thirds."""
    small = replace(people["motion"], margin=0.8)
    _, shots = read(video, small, tmp_path, 160)
    assert [shot.first for shot in decoded] == [0, 12]
    assert all(small.size == (683, 512) == given[0].shape[1::-1] for small, given in shots)


def test_kept_frames_may_be_a_tenth_smaller_than_their_crops(video, people, tmp_path, decoded):
    """Crops of 1.03 x 352 px, and as was guessed of 384, by two and a half to 145 px for 160."""
    _, shots = read(video, replace(people["motion"], margin=1.03), tmp_path, 160)
    assert not decoded
    assert all(small.size == (410, 307) for small, _ in shots)


def test_a_full_disk_is_no_room(video, people, tmp_path, decoded, monkeypatch):
    _, expected = read(video, people["file"], tmp_path, 64)

    class Full(io.BytesIO):
        """Of a quarter of a MB: then part of a frame is written, and then nothing."""

        def write(self, data):
            if self.tell() + len(data) <= 2**18:
                return super().write(data)
            if self.tell() < 2**18:
                return super().write(data[: 2**18 - self.tell()])
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(frame_cache.tempfile, "TemporaryFile", lambda **_: Full())
    _, again = read(video, people["file"], tmp_path, 64)
    assert len(decoded) == 2
    for (one, images), (other, more) in zip(expected, again, strict=True):
        assert one == other and np.array_equal(images, more)


def test_without_boxes_and_guesses_nothing_is_kept(video, people, tmp_path, decoded):
    read(video, people["motion"], tmp_path, 64, guess=False)
    assert [shot.first for shot in decoded] == [0, 12]
