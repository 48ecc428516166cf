"""The package as users install it: a wheel, outside the repository."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from kinepose.artifacts.pose_files import read_poses

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (path,) = folder.glob("*.whl")
    return path


def test_a_wheel_holds_the_package_alone(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert {name.split("/")[0].split("-")[0] for name in names} == {"kinepose"}
    for needed in ("weights/model.safetensors", "visualization/templates/viewer.html"):
        assert f"kinepose/{needed}" in names
    held = {name for name in names if name.startswith("kinepose/")}
    shipped = (ROOT / "src" / "kinepose").rglob("*.py")
    assert held >= {path.relative_to(ROOT / "src").as_posix() for path in shipped}


def test_predict_works_from_a_wheel(wheel, videos, tmp_path):
    """In a folder of its own: of the environment it takes the dependencies, not the package."""
    place = tmp_path / "installed"
    install = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "--no-compile"]
    subprocess.run([*install, "--quiet", "--target", place, wheel], check=True)
    environment = os.environ | {"PYTHONPATH": str(place), "HF_HUB_OFFLINE": "1"}

    def run(*words: object) -> str:
        command = [sys.executable, *map(str, words)]
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    assert run("-c", "import kinepose; print(kinepose.__file__)").startswith(str(place))
    video = next((videos / "films").glob("*.mp4"))
    boxes = ("--detector", "file", "--boxes", videos / "boxes.csv")
    run(place / "bin" / "kinepose", "predict", video, "--output", tmp_path / "poses", *boxes)
    assert len(read_poses(tmp_path / "poses").frame) > 10
    assert (tmp_path / "poses" / "viewer.html").stat().st_size > 10_000
