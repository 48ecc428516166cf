import weakref
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.tiny_videos import (
    FPS,
    HEIGHT,
    WIDTH,
    overlap,
    save_video,
    texture,
    walker_frames,
    write_boxes,
)

from kinepose.geometry.crops import frame_to_crop
from kinepose.io.errors import BadInputError
from kinepose.method.config import ModelConfig
from kinepose.video import people
from kinepose.video.config import PeopleConfig
from kinepose.video.cropping import crop_image
from kinepose.video.fades import unfaded
from kinepose.video.finders import IN_PASSING
from kinepose.video.people import cropped_as, crops_around, people_in_video
from kinepose.video.shots import Stretch, read_stretches


@settings(max_examples=25, deadline=None)
@given(
    x=st.floats(90, 220),
    y=st.floats(80, 200),
    side=st.floats(20, 300),
    size=st.sampled_from([17, 32, 64]),
)
def test_a_painted_dot_lands_where_the_formula_says(
    x: float, y: float, side: float, size: int
) -> None:
    crop = np.array([x, y, side])
    dot = np.array([153.3, 141.9])
    where = frame_to_crop(torch.tensor(dot)[None], torch.tensor(crop))[0].numpy()
    if np.abs(where).max() > 0.4:
        return
    rows, columns = np.mgrid[:290, :310] + 0.5
    width = max(2.0, 1.5 * side / size)
    distance = (columns - dot[0]) ** 2 + (rows - dot[1]) ** 2
    image = np.round(250 * np.exp(-distance / (2 * width**2))).astype(np.uint8)
    seen = crop_image(np.stack([image] * 3, axis=-1), crop, size)[..., 1].astype(float)
    middles = (np.arange(size) + 0.5) / size * 2 - 1
    landed = np.array([(seen.sum(0) * middles).sum(), (seen.sum(1) * middles).sum()]) / seen.sum()
    assert np.abs(landed - where).max() * size / 2 < 0.12  # [px of the crop]


@pytest.mark.parametrize("factor", [1, 2, 3, 5])
def test_shrinking_takes_the_mean_of_what_a_pixel_covers(factor: int) -> None:
    image = np.random.default_rng(0).integers(0, 256, (120, 120, 3), dtype=np.uint8)
    size = 12
    start = np.array([30, 20])
    crop = np.array([*(start + factor * size / 2), factor * size], dtype=float)
    covered = image[start[1] :, start[0] :][: factor * size, : factor * size]
    means = covered.reshape(size, factor, size, factor, 3).mean((1, 3))
    assert np.abs(crop_image(image, crop, size) - means).max() <= 1


@pytest.mark.parametrize("shrunk", [(160, 90), (133, 75)])
def test_a_shrunk_frame_gives_the_crop_of_the_frame(shrunk: tuple[int, int]) -> None:
    image = cv2.GaussianBlur(np.random.default_rng(1).normal(128, 40, (270, 480, 3)), (0, 0), 6)
    image = np.clip(128 + 6 * (image.astype(float) - 128), 0, 255).astype(np.uint8)
    small = cv2.resize(image, shrunk, interpolation=cv2.INTER_AREA)
    crop = np.array([201.3, 128.6, 197.0])
    seen = crop_image(small, crop, 48, (shrunk[0] / 480, shrunk[1] / 270)).astype(int)
    expected = crop_image(image, crop, 48).astype(int)
    shifted = crop_image(image, crop + np.array([2.0, 0.0, 0.0]), 48).astype(int)  # half a pixel
    assert 4 * np.abs(seen - expected).mean() < np.abs(shifted - expected).mean()


def test_beyond_the_frame_its_border_goes_on() -> None:
    image = texture(0)
    seen = crop_image(image, np.array([0.0, HEIGHT / 2, 64.0]), 32)
    assert np.abs(seen[:, :15].astype(int) - seen[:, :1]).max() <= 2
    outside = crop_image(image, np.array([-900.0, -900.0, 640.0]), 16)
    assert np.abs(outside.astype(int) - image[0, 0]).max() < 40
    assert crop_image(image[..., 0], np.array([50.0, 50.0, 40.0]), 8).shape == (8, 8)


def test_crops_much_larger_than_the_frame_take_no_more_room_than_it() -> None:
    image = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    assert (crop_image(image, np.array([0.0, 0.0, 2e6]), 16) == 90).all()


def people_config(*given: object, **settings: object) -> PeopleConfig:
    """With the paper's crops where nothing else is said."""
    return cropped_as(PeopleConfig(*given, **settings), ModelConfig())


def test_crops_are_a_models_own_unless_told() -> None:
    model = ModelConfig(crop_margin=1.25, crop_side="frame")
    assert cropped_as(PeopleConfig("none"), model) == PeopleConfig(
        "none", None, margin=1.25, side="frame"
    )
    told = PeopleConfig(margin=2.0, side="clip")
    assert cropped_as(told, model) == told


def test_the_side_rule() -> None:
    boxes = np.array([[10.0, 0.0, 20.0, 30.0 + i] for i in range(11)])
    crops = crops_around(boxes, people_config(margin=1.4), np.arange(11) / 25)
    np.testing.assert_allclose(crops[:, 2], 1.4 * 39)
    np.testing.assert_allclose(crops[:, 0], 15)
    np.testing.assert_allclose(crops[:, 1], (30 + np.arange(11)) / 2)
    following = crops_around(boxes, people_config(margin=1.4, side="frame"), np.arange(11.0))
    np.testing.assert_allclose(following[:, 2], 1.4 * (30 + np.arange(11)))


@pytest.mark.parametrize("pan", [0.0, 1.5])
def test_motion_follows_one_person_through_a_video(tmp_path: Path, pan: float) -> None:
    frames, boxes, _ = walker_frames(3.0, pan=pan)
    survey = people_in_video(save_video(tmp_path / "video.mp4", frames), people_config("motion"))
    (track,) = survey.tracks
    assert len(track.frames) >= 0.9 * len(frames)
    shared = [overlap(box, boxes[i]) for i, box in zip(track.frames, track.boxes, strict=True)]
    assert np.mean(shared) > 0.6
    assert survey.fps == pytest.approx(FPS)
    assert (survey.shots[0].background_motion > people_config().motion_threshold) == (pan > 0)


@pytest.mark.parametrize("threshold", [2.0, 1000.0])
def test_a_camera_moves_for_the_detector_motion_from_the_threshold_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, threshold: float
) -> None:
    said = []

    def nobody(thumbnails: np.ndarray, _fps: float, camera_moves: bool) -> list[np.ndarray]:
        said.append(camera_moves)
        return [np.zeros((0, 4))] * len(thumbnails)

    monkeypatch.setattr("kinepose.video.finders.moving_people", nobody)
    video = save_video(tmp_path / "video.mp4", walker_frames(1.0, pan=1.5)[0])
    with pytest.raises(BadInputError, match="no person found"):
        people_in_video(video, people_config("motion", motion_threshold=threshold))
    assert said == [threshold < 1000]


def test_a_person_who_stays_in_place_is_found_by_what_he_moves(tmp_path: Path) -> None:
    frames, boxes, _ = walker_frames(3.0, walks=False)
    survey = people_in_video(save_video(tmp_path / "video.mp4", frames), people_config("motion"))
    assert len(survey.tracks[0].frames) >= 0.9 * len(frames)
    middles = survey.tracks[0].crops[:, 0]
    assert np.abs(middles - boxes[:, [0, 2]].mean()).max() < 10


def test_boxes_of_a_file_keep_their_numbers_and_gaps_are_filled(tmp_path: Path) -> None:
    frames, boxes, _ = walker_frames(2.0)
    video = save_video(tmp_path / "video.mp4", frames)
    csv = write_boxes(tmp_path / "boxes.csv", boxes, "video.mp4", track=7)
    lines = csv.read_text().splitlines()
    csv.write_text("\n".join([*lines[:5], *lines[8:]]) + "\n")
    config = people_config(detector="file", boxes=csv, smoothing=0.0)
    (track,) = people_in_video(video, config).tracks
    assert track.number == 7
    assert track.frames.tolist() == list(range(len(frames)))
    assert np.abs(track.boxes - boxes).max() <= 3
    thinned = people_in_video(video, config, fps=4.0)
    assert thinned.tracks[0].frames.tolist() == list(range(0, 24, 3))
    assert thinned.fps == pytest.approx(4)


def test_a_track_of_a_file_that_leaps_is_two_people(tmp_path: Path) -> None:
    frames, _, _ = walker_frames(2.0)
    video = save_video(tmp_path / "video.mp4", frames)
    boxes = np.array([[5.0, 5.0, 25.0, 45.0]] * 12 + [[85.0, 30.0, 105.0, 70.0]] * 12)
    config = people_config(detector="file", boxes=write_boxes(tmp_path / "boxes.csv", boxes))
    survey = people_in_video(video, config)
    assert [track.number for track in survey.tracks] == [0, 1]
    assert [len(track.frames) for track in survey.tracks] == [12, 12]


def test_none_takes_the_whole_image(tmp_path: Path) -> None:
    video = save_video(tmp_path / "video.mp4", walker_frames(1.0)[0])
    (track,) = people_in_video(video, people_config(detector="none", margin=1.0)).tracks
    np.testing.assert_allclose(track.crops, [[WIDTH / 2, HEIGHT / 2, WIDTH]] * 12)


@pytest.mark.parametrize("detector", ["motion", "none"])
def test_whoever_is_in_most_of_a_short_video_is_a_person(tmp_path: Path, detector: str) -> None:
    frames, boxes, _ = walker_frames(2.5)
    video = save_video(tmp_path / "video.mp4", frames[:15:3])
    (track,) = people_in_video(video, people_config(detector)).tracks
    assert track.frames.tolist() == list(range(5))
    if detector == "motion":
        found = [overlap(*pair) for pair in zip(track.boxes, boxes[:15:3], strict=True)]
        assert np.mean(found) > 0.6


def test_images_are_independent(tmp_path: Path) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    for i in range(2):
        cv2.imwrite(str(folder / f"{i}.png"), texture(i))
    boxes = np.array([[0.0, 0.0, 10.0, 20.0], [60.0, 50.0, 110.0, 90.0]])
    config = people_config(detector="file", boxes=write_boxes(tmp_path / "boxes.csv", boxes))
    (track,) = people_in_video(folder, config).tracks
    np.testing.assert_array_equal(track.boxes, boxes)
    np.testing.assert_allclose(track.crops[:, 2], [28, 70])
    assert len(people_in_video(folder, people_config(detector="none")).tracks[0].frames) == 2
    with pytest.raises(BadInputError, match="needs a video"):
        people_in_video(folder, people_config("motion"))


def test_nobody_and_missing_boxes_are_one_clear_line(tmp_path: Path) -> None:
    video = save_video(tmp_path / "video.mp4", [texture(0)] * 12)
    with pytest.raises(BadInputError, match="no person found"):
        people_in_video(video, people_config("motion"))
    config = people_config(detector="file")
    with pytest.raises(BadInputError, match="--boxes"):
        people_in_video(video, config)
    boxes = write_boxes(tmp_path / "boxes.csv", np.array([[0.0, 0.0, 9.0, 9.0]]), "other.mp4")
    with pytest.raises(BadInputError, match=r"no boxes for the video video\.mp4"):
        people_in_video(video, replace(config, boxes=boxes))


def test_who_is_there_before_and_after_a_fade_is_one_person(tmp_path: Path) -> None:
    """A video that comes up from black and goes down to white: nobody but the walker is in it."""
    frames, boxes, _ = walker_frames(4.0)
    shares = np.interp(np.arange(48), [0, 9, 38, 47], [0, 1, 1, 0])
    faded = [
        (share * frame + (1 - share) * (0 if i < 24 else 255)).astype(np.uint8)
        for i, (frame, share) in enumerate(zip(frames, shares, strict=True))
    ]
    survey = people_in_video(save_video(tmp_path / "video.mp4", faded), people_config("motion"))
    (track,) = survey.tracks
    assert len(track.frames) >= 26
    shared = [overlap(box, boxes[i]) for i, box in zip(track.frames, track.boxes, strict=True)]
    assert np.mean(shared) > 0.5
    assert survey.shots[0].background_motion < people_config().motion_threshold


def test_what_only_looks_like_a_fade_is_none() -> None:
    plain = np.full((5, 30, 40, 3), 90, np.uint8)
    scene = np.stack([texture(1, 30, 40)] * 20)
    assert unfaded([*plain, *scene]) == slice(5, 25)
    noise = np.stack([texture(i, 30, 40) // (12 - i) for i in range(10)])
    assert unfaded([*noise, *scene]) == slice(0, 30)
    assert unfaded([*scene]) == slice(0, 20)


def test_boxes_that_cannot_be_of_this_video_are_refused(tmp_path: Path) -> None:
    frames, boxes, _ = walker_frames(1.0)
    video = save_video(tmp_path / "video.mp4", frames)
    config = people_config(detector="file", boxes=tmp_path / "boxes.csv")
    write_boxes(config.boxes, 4 * boxes)
    with pytest.raises(BadInputError, match=r"line [0-9]+: .* 128 x 96 px.*another size"):
        people_in_video(video, config)
    write_boxes(config.boxes, np.concatenate([boxes, boxes[-1:]]))
    with pytest.raises(BadInputError, match=r"frame 12, .* 0 to 11.*from 1"):
        people_in_video(video, config)
    folder = tmp_path / "images"
    folder.mkdir()
    cv2.imwrite(str(folder / "a.png"), texture(0))
    write_boxes(config.boxes, 4 * boxes[-1:])
    with pytest.raises(BadInputError, match=r"image 0: .* outside"):
        people_in_video(folder, config)


def test_less_than_a_frame_a_second_is_a_video_too(tmp_path: Path) -> None:
    video = save_video(tmp_path / "video.mkv", walker_frames(1.0)[0][:6], [0.0, 2, 4, 6, 9, 11])
    survey = people_in_video(video, people_config(detector="none"))
    (track,) = survey.tracks
    assert track.frames.tolist() == list(range(6)) and survey.fps == pytest.approx(5 / 11)
    np.testing.assert_allclose(survey.times, [0, 2, 4, 6, 9, 11])


def test_a_long_video_holds_no_more_images_than_a_short_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alive: set[int] = set()
    most = []

    def watched(*settings: object) -> Iterator[Stretch]:
        for stretch in read_stretches(*settings):
            for image in stretch.thumbnails:
                alive.add(id(image))
                weakref.finalize(image, alive.discard, id(image))
            most.append(len(alive))
            yield stretch

    monkeypatch.setattr(people, "read_stretches", watched)
    images = [np.full((16, 16, 3), 90, np.uint8)] * 120
    video = save_video(tmp_path / "video.mp4", images, np.arange(0, 60, 0.5).tolist())
    people_in_video(video, people_config("none", margin=1.0))
    assert len(most) >= 60 / IN_PASSING
    assert max(most) <= 3 * 2 * (IN_PASSING + 1)  # read, waiting, looked at


def test_sides_are_not_smoothed_over_a_long_gap(tmp_path: Path) -> None:
    save_video(tmp_path / "video.mp4", walker_frames(3.0)[0])
    rows = [f"{i},7,50,30,60,{70 if i < 18 else 50}" for i in (*range(12), *range(24, 36))]
    csv = tmp_path / "boxes.csv"
    csv.write_text("\n".join(["frame,track,x0,y0,x1,y1", *rows]) + "\n")
    config = people_config("file", csv, margin=1.25, side="frame", longest_gap=0.5)
    (track,) = people_in_video(tmp_path / "video.mp4", config).tracks
    assert track.frames.tolist() == [*range(12), *range(24, 36)]
    np.testing.assert_allclose(track.crops[:, 2], np.repeat([1.25 * 40, 1.25 * 20], 12))


def test_the_largest_boxes_of_a_file_are_kept_of_each_image(tmp_path: Path) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    for i in range(2):
        cv2.imwrite(str(folder / f"{i}.png"), texture(i))
    rows = ["0,3,0,0,10,20", "0,5,0,0,30,60", "0,9,0,0,20,40", "1,3,0,0,40,50", "1,5,0,0,9,9"]
    csv = tmp_path / "boxes.csv"
    csv.write_text("\n".join(["frame,track,x0,y0,x1,y1", *rows]) + "\n")
    most = people_config("file", csv, max_people=1)
    kept = people_in_video(folder, most).tracks
    assert [(track.number, track.frames.tolist()) for track in kept] == [(3, [1]), (5, [0])]
    two = people_in_video(folder, replace(most, max_people=2)).tracks
    assert [(track.number, track.frames.tolist()) for track in two] == [
        (3, [1]),
        (5, [0, 1]),
        (9, [0]),
    ]
