"""The package's own detector and linking on videos of rendered people, whose truth is known."""

from pathlib import Path

import numpy as np
import pytest
from tests.crossing import FRAMES, crossing_video
from tests.tiny_videos import overlap, save_video, texture

from kinepose.io.errors import BadInputError
from kinepose.method.config import ModelConfig
from kinepose.video.box_tables import read_boxes, write_boxes
from kinepose.video.config import PeopleConfig
from kinepose.video.people import cropped_as, people_in_video


@pytest.mark.parametrize("clothes", [(3, 8), (3, 3)], ids=["different", "equal"])
def test_two_people_who_cross_are_two_tracks_each_of_one_person(
    tmp_path: Path, clothes: tuple[int, int]
) -> None:
    boxes = crossing_video(tmp_path / "crossing.mp4", clothes)
    survey = people_in_video(tmp_path / "crossing.mp4", cropped_as(PeopleConfig(), ModelConfig()))
    assert len(survey.tracks) == 2
    owners = []
    for track in survey.tracks:
        assert len(track.frames) >= 0.9 * FRAMES
        shared = np.array(
            [
                [overlap(box, boxes[person, frame]) for person in range(2)]
                for frame, box in zip(track.frames, track.boxes, strict=True)
            ]
        )
        owner = int(shared.mean(0).argmax())
        assert (shared[:, owner] > 0.5).mean() >= 0.9
        owners.append(owner)
    assert sorted(owners) == [0, 1]
    one = cropped_as(PeopleConfig(max_people=1), ModelConfig())
    (kept,) = people_in_video(tmp_path / "crossing.mp4", one).tracks
    assert kept.number == survey.tracks[owners.index(1)].number  # the nearer one is the larger

    write_boxes(tmp_path / "boxes.csv", "crossing.mp4", survey.tracks)
    given = read_boxes(tmp_path / "boxes.csv")["crossing.mp4"]
    for track in survey.tracks:
        assert sorted(given[track.number]) == track.frames.tolist()
        held = np.stack([given[track.number][frame] for frame in track.frames.tolist()])
        np.testing.assert_allclose(held, track.boxes, atol=0.006)
    assert "score" in (tmp_path / "boxes.csv").read_text().splitlines()[0]


def test_a_video_without_people_is_one_line(tmp_path: Path) -> None:
    video = save_video(tmp_path / "video.mp4", [texture(0)] * 12)
    with pytest.raises(BadInputError, match="no person found") as caught:
        people_in_video(video, cropped_as(PeopleConfig(), ModelConfig()))
    assert "\n" not in str(caught.value)
