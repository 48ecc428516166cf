"""cropping.py: batches of crops, each with one that lends its appearance."""

import weakref

import cv2
import numpy as np
import pytest
from tests.tiny_videos import save_video, texture, walker_frames

from kinepose.io.errors import BadInputError
from kinepose.method.config import ModelConfig
from kinepose.video.config import PeopleConfig
from kinepose.video.cropping import batches_with_sources, crops_of, rows_of, source_rows
from kinepose.video.frame_cache import KeptFrames
from kinepose.video.people import cropped_as, people_in_video
from kinepose.video.reading import video_info


def test_source_rows_by_hand():
    time = np.array([0.0, 0.0, 0.5, 0.5, 1.0, 1.0, 1.5, 2.0])
    track = np.array([0, 1, 0, 1, 0, 1, 0, 0])
    sources = source_rows(track, time, gap=1.0)
    # Track 0 is rows 0 2 4 6 7: a second later, and for the last two a second earlier.
    assert sources[[0, 2, 4, 6, 7]].tolist() == [4, 6, 7, 2, 4]
    # Track 1 is rows 1 3 5, one second long: the middle one has no row so far away.
    assert sources[[1, 5]].tolist() == [5, 1] and sources[3] in (1, 5)
    assert source_rows(np.array([4]), np.array([0.0]), 1.0).tolist() == [0]


@pytest.mark.parametrize("batch_size", [1, 3, 100])
def test_batches_bring_every_row_once_with_its_source(batch_size):
    rng = np.random.default_rng(0)
    count = 60
    sources = np.clip(np.arange(count) + rng.integers(-7, 8, count), 0, count - 1)
    crops = (np.full((2, 2, 3), i, np.uint8) for i in range(count))
    seen = []
    for rows, images, lent in batches_with_sources(crops, sources, batch_size):
        assert 0 < len(rows) <= batch_size
        assert [image[0, 0, 0] for image in images] == rows.tolist()
        assert [image[0, 0, 0] for image in lent] == sources[rows].tolist()
        seen += rows.tolist()
    assert sorted(seen) == list(range(count))


def test_batches_hold_no_more_than_the_gap_needs():
    """Of 3000 crops no more than the gap and a few batches are alive at once."""
    alive = set()

    def crops(count):
        for number in range(count):
            crop = np.zeros((2, 2, 3), np.uint8)
            alive.add(number)
            weakref.finalize(crop, alive.discard, number)
            yield crop

    count, most = 3000, 0
    sources = source_rows(np.zeros(count, np.int64), np.arange(count) / 10, gap=2.0)
    for _ in batches_with_sources(crops(count), sources, 8):
        most = max(most, len(alive))
    assert 20 < most < 2 * 20 + 4 * 8


def crops_of_what_is_left(path, place):
    """Crops of who was found in a video, or in images, of which something is gone since."""
    config = cropped_as(PeopleConfig("none"), ModelConfig())
    kept = KeptFrames(place, video_info(path), 16, config, guess=False)
    survey = people_in_video(path, config)
    rows = rows_of(survey)
    assert len(list(crops_of(path, survey, rows, 16, kept))) == len(rows.frame)
    if path.is_dir():
        (path / "1.png").unlink()
    else:
        save_video(path, walker_frames(1.0)[0][:5])
    return list(crops_of(path, survey, rows, 16, kept))


def test_a_video_that_is_shorter_the_second_time_is_one_line(tmp_path):
    video = save_video(tmp_path / "video.mp4", walker_frames(1.0)[0])
    with pytest.raises(BadInputError, match=r"^video\.mp4 gave fewer frames the second time"):
        crops_of_what_is_left(video, tmp_path)


def test_a_folder_with_fewer_images_the_second_time_is_one_line(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    for i in range(3):
        cv2.imwrite(str(folder / f"{i}.png"), texture(i))
    with pytest.raises(BadInputError, match=r"^images gave fewer images the second time"):
        crops_of_what_is_left(folder, tmp_path)
