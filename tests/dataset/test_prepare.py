import json
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from tests.tiny_videos import FPS, save_video, texture, walker_frames, write_boxes

from kinepose.dataset.clip_set import read_clips
from kinepose.dataset.clips import SCHEMA
from kinepose.dataset.config import PrepareConfig
from kinepose.dataset.prepare import prepare, read_reports
from kinepose.io.errors import BadInputError, VideoWarning
from kinepose.video import frame_cache
from kinepose.video.config import PeopleConfig
from kinepose.video.cropping import crop_image
from kinepose.video.reading import read_frames


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A walker, a moving camera, a person in place, all with boxes, and what is no video."""
    folder = tmp_path_factory.mktemp("videos")
    lines = ["film,frame,track,x0,y0,x1,y1"]
    kinds = {"walker": {}, "panned": {"pan": 1.5}, "in_place": {"walks": False}}
    for name, kind in kinds.items():
        frames, boxes, _ = walker_frames(2.5, **kind)
        save_video(folder / f"{name}.mp4", frames)
        csv = write_boxes(folder / "one.csv", boxes, f"{name}.mp4", track=3)
        lines += csv.read_text().splitlines()[1:]
    (folder / "one.csv").unlink()
    (folder / "boxes.csv").write_text("\n".join(lines) + "\n")
    (folder / "empty.mp4").touch()
    (folder / "text.mp4").write_text("no video")
    return folder


def config(videos: Path, output: Path, *names: str) -> PrepareConfig:
    people = PeopleConfig(detector="file", boxes=videos / "boxes.csv")
    return PrepareConfig(
        videos=tuple(videos / f"{name}.mp4" for name in names),
        output=output,
        people=people,
        shortest_clip=2.0,
        crop_size=48,
        workers=1,
    )


@pytest.fixture(scope="module")
def clips(videos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("clips")
    prepare(config(videos, output, "walker", "panned", "in_place", "empty", "text"))
    return output


def decoded(data: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)


def test_pandas_reads_the_folder_as_it_is(clips: Path) -> None:
    rows = pd.read_parquet(clips)
    assert list(rows.columns) == SCHEMA.names
    assert set(rows.video) == {"walker.mp4", "panned.mp4", "in_place.mp4"}
    assert (rows.groupby("video").size() == 30).all()
    assert (rows.track == 3).all() and (rows["clip"] == 0).all()
    np.testing.assert_allclose(rows.time, rows.frame / FPS, atol=2e-3)


def test_still_and_moving_cameras_are_told_apart_with_the_reason(clips: Path) -> None:
    rows = pd.read_parquet(clips).groupby("video").first()
    assert rows.paired.to_dict() == {"walker.mp4": True, "panned.mp4": False, "in_place.mp4": False}
    assert "camera moves" in rows.reason["panned.mp4"]
    threshold = PeopleConfig().motion_threshold
    assert "stays where he is" in rows.reason["in_place.mp4"]
    assert rows.background_motion["panned.mp4"] > threshold > rows.background_motion["walker.mp4"]
    assert rows.background["panned.mp4"] is None and rows.valid["in_place.mp4"] is None


def test_crops_and_backgrounds_show_the_video_and_its_scene(clips: Path, videos: Path) -> None:
    rows = pd.read_parquet(clips / "walker.parquet")
    scene = walker_frames(2.5)[2]
    images = {frame.index: frame.image for frame in read_frames(videos / "walker.mp4")}
    for _, row in rows.iloc[::7].iterrows():
        crop = np.asarray(row.crop, float)
        assert (
            np.abs(decoded(row.image) - crop_image(images[row.frame], crop, 48).astype(int)).mean()
            < 6
        )
        assert np.abs(decoded(row.background) - crop_image(scene, crop, 48).astype(int)).mean() < 8
        assert (decoded(row.valid) == 255).all()
        np.testing.assert_allclose(crop[:2], (row.box[:2] + row.box[2:]) / 2, atol=1e-3)


def test_broken_videos_are_passed_over_and_listed_with_their_reason(clips: Path) -> None:
    reports = read_reports(clips)
    assert {name: report.status for name, report in reports.items()} == {
        "walker": "ok",
        "panned": "ok",
        "in_place": "ok",
        "empty": "failed",
        "text": "failed",
    }
    assert "not a video" in reports["text"].reason
    assert read_reports(clips.as_uri()) == reports
    expected = {"clips": 1, "frames": 30, "paired_clips": 1, "paired_frames": 30}
    assert reports["walker"].counts == expected
    assert {path.name for path in clips.iterdir()} == {
        "_videos.json",
        "walker.parquet",
        "panned.parquet",
        "in_place.parquet",
    }


def test_a_video_that_is_cut_short_gives_clips_and_a_warning(videos: Path, tmp_path: Path) -> None:
    video = save_video(tmp_path / "walker.mkv", walker_frames(2.5)[0])
    video.write_bytes(video.read_bytes()[: int(0.8 * video.stat().st_size)])
    given = replace(config(videos, tmp_path / "clips"), videos=(video,), shortest_clip=0.5)
    given = replace(given, people=PeopleConfig("none"))
    with pytest.warns(VideoWarning, match=r"walker\.mkv is broken") as said:
        prepare(given)
    assert len(said) == 1
    frames = len(pd.read_parquet(tmp_path / "clips" / "walker.parquet"))
    assert f"{frames} frames of it are used" in str(said[0].message) and 10 < frames < 30


def test_videos_that_are_done_are_not_cut_again(videos: Path, tmp_path: Path) -> None:
    prepare(config(videos, tmp_path, "walker"))
    first = (tmp_path / "walker.parquet").stat().st_mtime_ns
    prepare(config(videos, tmp_path, "walker", "panned"))
    assert (tmp_path / "walker.parquet").stat().st_mtime_ns == first
    assert (tmp_path / "panned.parquet").exists()
    prepare(replace(config(videos, tmp_path, "walker"), crop_size=32))
    assert (tmp_path / "walker.parquet").stat().st_mtime_ns > first
    assert decoded(pd.read_parquet(tmp_path / "walker.parquet").image[0]).shape == (32, 32, 3)


def test_clips_stay_if_their_video_breaks(videos: Path, tmp_path: Path) -> None:
    """Of an earlier call, or whoever's they are."""
    settings = replace(config(videos, tmp_path / "clips", "walker", "in_place"))
    prepare(settings)
    before = {path.name: path.read_bytes() for path in settings.output.iterdir()}
    broken = tmp_path / "walker.mp4"
    broken.write_text("no video")
    with pytest.raises(BadInputError, match="no video gave a clip"):
        prepare(replace(settings, videos=(broken,)))
    assert {path.name: path.read_bytes() for path in settings.output.iterdir()} == before


def test_several_processes_write_the_same(videos: Path, clips: Path, tmp_path: Path) -> None:
    prepare(replace(config(videos, tmp_path, "walker", "empty", "panned"), workers=2))
    for name in ("walker", "panned"):
        pd.testing.assert_frame_equal(
            pd.read_parquet(tmp_path / f"{name}.parquet"),
            pd.read_parquet(clips / f"{name}.parquet"),
        )


@pytest.mark.parametrize("room", [0, 2**18])
def test_frames_kept_and_frames_decoded_again_give_the_same(
    videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    frames = [*walker_frames(1.2)[0], *walker_frames(1.2, seed=7)[0]]
    video = save_video(tmp_path / "two.mp4", frames)
    boxes = np.tile(walker_frames(1.2)[1], (2, 1))
    people = PeopleConfig("file", write_boxes(tmp_path / "boxes.csv", boxes, "two.mp4", track=0))
    given = replace(config(videos, tmp_path / "kept"), videos=(video,), people=people)
    given = replace(given, shortest_clip=1.0, crop_size=24)
    prepare(given)
    monkeypatch.setattr(frame_cache, "_KEPT_BYTES", room)
    prepare(replace(given, output=tmp_path / "again"))
    kept, again = (pq.read_table(tmp_path / name / "two.parquet") for name in ("kept", "again"))
    assert kept.equals(again) and len(set(kept["clip"].to_pylist())) == 2
    assert {path.name for path in (tmp_path / "kept").iterdir()} == {"_videos.json", "two.parquet"}


def test_an_image_of_the_empty_scene_replaces_the_median(videos: Path, tmp_path: Path) -> None:
    scenes = tmp_path / "scenes"
    scenes.mkdir()
    scene = walker_frames(2.5, walks=False)[2]
    cv2.imwrite(str(scenes / "in_place.png"), scene[..., ::-1])
    given = replace(config(videos, tmp_path / "clips", "in_place", "walker"), backgrounds=scenes)
    prepare(given)
    rows = pd.read_parquet(tmp_path / "clips")
    assert rows.paired.all() and (rows.video == "in_place.mp4").all()
    crop = np.asarray(rows.crop[0], float)
    expected = crop_image(scene, crop, 48).astype(int)
    assert np.abs(decoded(rows.background[0]) - expected).mean() < 5
    assert "no image that is named" in read_reports(tmp_path / "clips")["walker"].reason


def test_cuts_and_the_limits_of_length_make_clips(videos: Path, tmp_path: Path) -> None:
    frames = [*walker_frames(1.2)[0], *walker_frames(3.0, seed=7)[0]]
    video = save_video(tmp_path / "two.mp4", frames)
    whole = replace(
        config(videos, tmp_path / "clips"), videos=(video,), people=PeopleConfig("motion")
    )
    prepare(replace(whole, shortest_clip=1.0))
    rows = pd.read_parquet(tmp_path / "clips")
    assert rows.groupby("clip").frame.max()[0] == 13
    assert rows[rows["clip"] == 1].frame.min() >= 14
    prepare(replace(whole, shortest_clip=2.0))
    assert pd.read_parquet(tmp_path / "clips").frame.min() >= 14
    prepare(replace(whole, shortest_clip=0.5, longest_clip=1.0))
    rows = pd.read_parquet(tmp_path / "clips")
    assert rows["clip"].nunique() >= 4
    assert (rows.groupby("clip").time.max() - rows.groupby("clip").time.min() <= 1.0).all()


def test_bad_input_is_one_clear_line(videos: Path, tmp_path: Path) -> None:
    given = config(videos, tmp_path / "clips", "missing")
    with pytest.raises(BadInputError, match=r"no such file.*missing\.mp4"):
        prepare(given)
    with pytest.raises(BadInputError, match=r"no video gave a clip.*not a video"):
        prepare(config(videos, tmp_path / "clips", "empty", "text"))
    for changes, says in [
        ({"fps": -1.0}, "--fps"),
        ({"crop_size": 0}, "--crop-size"),
        ({"people": {"margin": np.nan}}, "--margin"),
        ({"people": {"smoothing": np.nan}}, "--smoothing"),
    ]:
        with pytest.raises(BadInputError, match=says):
            made = {n: PeopleConfig(**v) if n == "people" else v for n, v in changes.items()}
            prepare(replace(config(videos, tmp_path / "clips", "walker"), **made))
    with pytest.raises(BadInputError, match="--shortest-clip"):
        prepare(replace(config(videos, tmp_path / "clips", "walker"), shortest_clip=5.0))
    at_the_border = write_boxes(tmp_path / "border.csv", np.tile([0.0, 9, 20, 60], (30, 1)))
    people = PeopleConfig("file", at_the_border)
    with pytest.raises(BadInputError, match=r"walker\.mp4 touches the border .*--no-whole"):
        prepare(replace(config(videos, tmp_path / "clips", "walker"), people=people))
    assert not (tmp_path / "clips").exists()
    (tmp_path / "nothing").mkdir()
    with pytest.raises(BadInputError, match="is empty"):
        prepare(replace(given, videos=(tmp_path / "nothing",)))
    with pytest.raises(BadInputError, match="no videos given"):
        prepare(replace(given, videos=()))
    (tmp_path / "other").mkdir()
    twin = save_video(tmp_path / "other" / "walker.mkv", [texture(0)] * 3)
    with pytest.raises(BadInputError, match="two videos have the name walker"):
        prepare(replace(given, videos=(videos / "walker.mp4", twin)))


def test_a_list_of_another_version_is_refused(videos: Path, tmp_path: Path) -> None:
    (tmp_path / "_videos.json").write_text(json.dumps({"format_version": 99, "videos": {}}))
    with pytest.raises(BadInputError, match="format_version 99"):
        prepare(config(videos, tmp_path, "walker"))


def test_clips_that_call_the_video_as_before_are_read(clips: Path, tmp_path: Path) -> None:
    """The column and the list; the list is replaced by the next call."""
    shutil.copytree(clips, tmp_path / "older")
    for path in (tmp_path / "older").glob("*.parquet"):
        table = pq.read_table(path)
        names = ["film" if name == "video" else name for name in table.column_names]
        older = table.rename_columns(names).replace_schema_metadata(table.schema.metadata)
        pq.write_table(older, path)
    listed = tmp_path / "older" / "_videos.json"
    text = listed.read_text().replace('"videos"', '"films"').replace('"video"', '"film"')
    listed.unlink()
    (tmp_path / "older" / "_films.json").write_text(text)
    now, before = (read_clips([folder], margin=1.1) for folder in (clips, tmp_path / "older"))
    assert before.table.equals(now.table, check_metadata=True)
    assert (before.part == now.part).all() and now.table.schema.metadata
    assert read_reports(tmp_path / "older") == read_reports(clips) != {}
