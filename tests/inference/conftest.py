"""Once a session: two figures predicted by a tiny model, and two people exported."""

import csv

import pytest
import torch
from tests.inference.two_figures import FPS, FRAMES, frame_image, predicted
from tests.inference.two_people import people

from kinepose.artifacts.model_files import new_model, save_model
from kinepose.inference.export import export_poses
from kinepose.method.config import ModelConfig
from kinepose.video.config import PeopleConfig
from kinepose.video.writing import write_video


@pytest.fixture(scope="session")
def run(tmp_path_factory):
    torch.manual_seed(0)
    config = ModelConfig(
        image_size=32,
        map_size=8,
        extended_camera=True,
        pretrained=None,
        backbone_stem=8,
        backbone_widths=(8, 8, 16),
        backbone_depths=(1, 1, 1),
        backbone_block="basic",
        branch_cells=2,
        branch_width=16,
        appearance_widths=(8,) * 10,
        pose_feature_width=8,
        decoder_widths=(8, 8, 8),
    )
    folder = tmp_path_factory.mktemp("run")
    save_model(new_model(config), folder)
    return folder


@pytest.fixture(scope="session")
def video(tmp_path_factory):
    path = tmp_path_factory.mktemp("video") / "two.mp4"
    write_video(path, (frame_image(i) for i in range(FRAMES)), FPS)
    return path


@pytest.fixture(scope="session")
def boxes(video):
    path = video.with_suffix(".csv")
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["frame", "track", "x0", "y0", "x1", "y1"])
        for i in range(FRAMES):
            writer.writerow([i, 3, 20 + i, 30, 35 + i, 100])
            if 5 <= i < 20:
                writer.writerow([i, 8, 70, 40, 84, 110])
    return path


@pytest.fixture(scope="session")
def both(video, run, boxes, tmp_path_factory):
    output = tmp_path_factory.mktemp("out") / "poses"
    people = PeopleConfig(detector="file", boxes=boxes)
    return output, predicted(video, run, output, people=people, batch_size=4)


@pytest.fixture(scope="session")
def poses():
    return people()


@pytest.fixture(scope="session")
def exported(poses, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported")
    written = export_poses(poses, ("npz", "json", "csv", "bvh", "trc", "c3d"), folder)
    assert sorted(path.name for path in folder.iterdir()) == sorted(path.name for path in written)
    return folder
