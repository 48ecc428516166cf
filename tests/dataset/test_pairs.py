import shutil
import sys
from pathlib import Path

import cv2
import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from kinepose.dataset.clip_set import ClipSet, describe_clips, read_clips
from kinepose.dataset.clips import CROP_MARGIN, SCHEMA
from kinepose.dataset.pairs import draw_backgrounds, draw_pairs, load_images
from kinepose.geometry.crops import frame_to_crop
from kinepose.io.errors import BadInputError

STORED = 64


def encoded(level: int, suffix: str = ".jpg", channels: int = 3) -> bytes:
    image = np.full((STORED, STORED, channels), level, np.uint8)
    return cv2.imencode(suffix, image)[1].tobytes()


def rows(video: str, clip: int, track: int, paired: bool, count: int, fps: float) -> list[dict]:
    """A person's clip whose frames' grey levels are 10 + frame, its backgrounds' 100 + frame."""
    return [
        {
            "video": video,
            "clip": clip,
            "track": track,
            "frame": i,
            "time": i / fps,
            "paired": paired,
            "image": encoded(10 + i),
            "background": encoded(100 + i) if paired else None,
            "valid": encoded(255, ".png", 1) if paired else None,
            "box": [0.0, 0.0, 1.0, 1.0],
            "crop": [0.0, 0.0, 1.0],
            "fps": fps,
            "background_motion": 1.0,
            "reason": "because",
        }
        for i in range(count)
    ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clips")
    first = [*rows("a.mp4", 0, 0, True, 20, 10), *rows("a.mp4", 0, 1, False, 12, 10)]
    second = [*rows("b.mp4", 0, 1, False, 15, 10), *rows("b.mp4", 1, 1, True, 3, 10)]
    for name, video in (("a", first), ("b", second)):
        pq.write_table(pa.Table.from_pylist(video, SCHEMA), folder / f"{name}.parquet")
    return folder


@pytest.fixture(scope="module")
def clips(folder: Path) -> ClipSet:
    return read_clips([folder])


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def levels(images: torch.Tensor) -> np.ndarray:
    return (255 * images.mean((1, 2, 3))).round().int().numpy()


def test_clips_of_one_person_are_told_apart(clips: ClipSet) -> None:
    assert clips.paired.tolist() == [[0, 20], [47, 50]]
    assert clips.unpaired.tolist() == [[20, 32], [32, 47]]


@pytest.mark.parametrize("paired", [True, False])
@pytest.mark.parametrize("gap", [0.0, 0.4, 1.1])
def test_pairs_are_of_one_person_and_far_enough_apart(
    clips: ClipSet, paired: bool, gap: float
) -> None:
    batch = draw_pairs(clips, paired, 300, 4, gap, generator())
    sources, targets = levels(batch.source) - 10, levels(batch.target) - 10
    assert (np.abs(sources - targets) / 10 >= gap - 1e-6).all()
    np.testing.assert_array_equal(targets, clips.table["frame"].to_numpy()[batch.rows])
    bounds = clips.paired if paired else clips.unpaired
    long_enough = [(a, b) for a, b in bounds.tolist() if (b - 1 - a) / 10 >= gap]
    partnered = {
        row
        for first, end in long_enough
        for row in range(first, end)
        if max(row - first, end - 1 - row) / 10 >= gap - 1e-6
    }
    assert set(batch.rows.tolist()) == partnered
    if paired:
        np.testing.assert_array_equal(levels(batch.background) - 100, targets)
        assert batch.valid.shape == (300, 1, 4, 4) and (batch.valid == 1).all()
    else:
        assert batch.background is None and batch.valid is None


def test_the_generator_alone_decides(clips: ClipSet, folder: Path) -> None:
    one = draw_pairs(clips, True, 16, 16, 0.4, generator(3))
    same = draw_pairs(read_clips([folder]), True, 16, 16, 0.4, generator(3))
    other = draw_pairs(clips, True, 16, 16, 0.4, generator(4))
    for name in ("source", "target", "background", "valid", "rows"):
        assert torch.equal(getattr(one, name), getattr(same, name))
    assert not torch.equal(one.rows, other.rows)


def test_no_clip_is_long_enough(clips: ClipSet) -> None:
    with pytest.raises(BadInputError, match="3 s"):
        draw_pairs(clips, True, 4, 8, 3.0, generator())


def test_backgrounds_come_from_all_frames_of_d_p(clips: ClipSet) -> None:
    drawn = levels(draw_backgrounds(clips, 400, 4, generator())) - 100
    assert set(drawn.tolist()) == set(range(20))


@pytest.mark.parametrize("size", [64, 48, 32, 20, 7])
def test_shrunk_images_are_means_of_what_their_pixels_cover(tmp_path: Path, size: int) -> None:
    smooth = cv2.GaussianBlur(
        np.random.default_rng(0).integers(0, 256, (STORED, STORED, 3), dtype=np.uint8), (0, 0), 4
    )
    image = cv2.normalize(smooth, None, 0, 255, cv2.NORM_MINMAX)
    row = rows("a.mp4", 0, 0, True, 1, 10)[0]
    row["image"] = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 98])[1].tobytes()
    pq.write_table(pa.Table.from_pylist([row], SCHEMA), tmp_path / "a.parquet")
    seen = 255 * load_images(read_clips([tmp_path]), np.array([0]), size)[0]
    finer = np.repeat(np.repeat(image, size, 0), size, 1)[..., ::-1]  # of STORED * size px
    means = finer.reshape(size, STORED, size, STORED, 3).mean((1, 3)).transpose(2, 0, 1)
    assert np.abs(seen.numpy() - means).mean() < 3


def spotted(margin: float | None) -> tuple[pa.Table, torch.Tensor]:
    """A clip of a frame whose crop shows a spot, and where that is in the video [px]."""
    row = rows("a.mp4", 0, 0, True, 1, 10)[0]
    row["crop"] = [200.0, 100.0, 160.0]
    place = torch.tensor([170.0, 145.0])
    centre = ((place - torch.tensor(row["crop"][:2])) / 160 + 0.5) * STORED - 0.5
    x, y = np.meshgrid(np.arange(STORED) - float(centre[0]), np.arange(STORED) - float(centre[1]))
    spot = 255 * np.exp(-(x**2 + y**2) / (2 * 1.5**2))
    image = np.repeat(spot[..., None], 3, -1).astype(np.uint8)
    for column in ("image", "background"):
        row[column] = cv2.imencode(".png", image)[1].tobytes()
    schema = SCHEMA if margin is None else SCHEMA.with_metadata({CROP_MARGIN: str(margin)})
    return pa.Table.from_pylist([row], schema), place


@pytest.mark.parametrize("size", [20, 32, 64])
@pytest.mark.parametrize("margin", [None, 1.25, 1.0, 1.4])
def test_crops_narrowed_to_a_margin_show_labels_where_they_are(tmp_path, margin, size) -> None:
    table, place = spotted(1.4)
    pq.write_table(table, tmp_path / "a.parquet")
    narrow = read_clips([tmp_path], margin=margin)
    crop = torch.tensor(narrow.table["crop"][0].as_py())
    assert crop.tolist() == pytest.approx([200, 100, 160 * (margin or 1.4) / 1.4], rel=1e-5)
    expected = frame_to_crop(place.expand(1, 17, 2), crop[None])[0, 0]
    for column in ("image", "background"):
        seen = load_images(narrow, np.array([0]), size, column)[0, 0]
        middles = torch.linspace(-1, 1, 2 * size + 1)[1::2]
        found = torch.stack([seen.sum(0) @ middles, seen.sum(1) @ middles]) / seen.sum()
        assert (found - expected).abs().max() * STORED / 2 < 0.5, "[px of the stored crop]"


def test_clips_cut_too_close_are_refused(tmp_path) -> None:
    table, _ = spotted(1.1)
    pq.write_table(table, tmp_path / "a.parquet")
    read_clips([tmp_path], margin=1.1)
    with pytest.raises(BadInputError, match=r"a\.parquet have a margin of 1\.1.*1\.25") as caught:
        read_clips([tmp_path], margin=1.25)
    assert "\n" not in str(caught.value)
    table, _ = spotted(None)  # of an earlier version: 1.4
    pq.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(BadInputError, match=r"a margin of 1\.4, the model wants 1\.5"):
        read_clips([tmp_path], margin=1.5)


def test_a_set_is_described(folder: Path) -> None:
    text = describe_clips(folder)
    assert "2 videos" in text
    assert "paired (D_p): 2 clips of one person, 23 frames" in text
    assert "unpaired (D_unp): 2 clips of one person, 27 frames" in text


def test_what_holds_no_clips_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="no clips"):
        read_clips([tmp_path])
    pq.write_table(pa.table({"a": [1]}), tmp_path / "other.parquet")
    with pytest.raises(BadInputError, match="does not hold clips"):
        read_clips([tmp_path])
    (tmp_path / "other.parquet").write_bytes(b"no table")
    with pytest.raises(BadInputError, match="is no file of clips"):
        read_clips([tmp_path])


def test_names_of_folders_and_videos_may_be_any(folder: Path, tmp_path: Path) -> None:
    odd = tmp_path / "memory::data:"
    odd.mkdir()
    for name in ("_a", ".a"):
        shutil.copy(folder / "a.parquet", odd / f"{name}.parquet")
    assert len(read_clips([odd]).table) == 2 * len(pq.read_table(folder / "a.parquet"))


def test_clips_are_read_wherever_fsspec_reaches(folder: Path, tmp_path: Path) -> None:
    shutil.make_archive(str(tmp_path / "clips"), "zip", folder)
    memory = fsspec.filesystem("memory")
    for file in folder.iterdir():
        memory.pipe_file(f"/bucket/clips/{file.name}", file.read_bytes())
    addresses = ("memory://bucket/clips", folder.as_uri(), f"zip://::{tmp_path / 'clips.zip'}")
    for address in addresses:
        assert read_clips([address]).table.equals(read_clips([folder]).table)
    memory.pipe_file("/bucket/more/.c.part.parquet", b"half-written")
    memory.pipe_file("/bucket/more/b.parquet", (folder / "b.parquet").read_bytes())
    more = read_clips(["memory://bucket/more"]).table
    assert more.equals(pq.read_table(folder / "b.parquet"))
    with pytest.raises(BadInputError, match="two folders of clips have a video b"):
        read_clips([folder, "memory://bucket/more"])


def test_addresses_that_cannot_be_read_are_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)
    fsspec.filesystem("memory").pipe_file("/broken/a.parquet", b"no table")
    complaints = {
        "memory://nowhere": "no clips .* in memory://nowhere",
        "nonsense://clips": "cannot read nonsense://clips: Protocol not known",
        "s3://bucket/clips": "cannot read s3://bucket/clips: Install s3fs",
        "zip://::/nowhere.zip": "cannot read zip://::/nowhere.zip: .*No such file",
        "memory://broken": "memory://broken/a.parquet is no file of clips",
    }
    for address, complaint in complaints.items():
        with pytest.raises(BadInputError, match=complaint) as caught:
            read_clips([address])
        assert "\n" not in str(caught.value)
