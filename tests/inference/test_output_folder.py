"""output_folder.py: a folder holds the results of one film and one set of settings."""

from dataclasses import replace

import numpy as np
import pytest

from kinepose.errors import BadInputError
from kinepose.inference.config import ExportConfig, PredictConfig
from kinepose.inference.output_folder import (
    RECORD,
    check_output,
    claim,
    export_record,
    prediction_record,
)
from kinepose.model_files import save_model
from kinepose.video.config import PeopleConfig


@pytest.fixture
def config(tmp_path, tiny_model):
    save_model(tiny_model, tmp_path / "run")
    (tmp_path / "film.mp4").write_bytes(b"a film")
    return PredictConfig(tmp_path / "film.mp4", tmp_path / "out", tmp_path / "run")


def with_results(config):
    config.output.mkdir()
    claim(config.output, prediction_record(config))
    for name in ("poses.npz", "track_1.bvh", "viewer.html", "overlay.mp4", "mine.txt"):
        (config.output / name).write_text("results")


def check(config, **settings):
    config = replace(config, **settings)
    used = (config.film,)
    check_output(config.output, prediction_record(config), config.overwrite, used)


def names(config):
    return sorted(path.name for path in config.output.iterdir())


def test_the_same_film_and_settings_may_come_again_in_other_formats(config):
    check(config)
    with_results(config)
    before = names(config)
    check(config, formats=("csv",), viewer=False, batch_size=3)
    claim(config.output, prediction_record(replace(config, overlay=False)))
    assert names(config) == before


def test_another_film_and_other_settings_are_refused_or_replace_all(config, tmp_path):
    with_results(config)
    other = tmp_path / "other.mp4"
    other.write_bytes(b"another film")
    with pytest.raises(BadInputError, match=r"another film \(film\.mp4\).*--overwrite"):
        check(config, film=other)
    with pytest.raises(BadInputError, match=r"other settings \(focal, height\)"):
        check(config, height=1800.0, focal=900.0)
    with pytest.raises(BadInputError, match=r"other settings \(people\)"):
        check(config, people=PeopleConfig("none"))
    check(config, film=other, overwrite=True)
    claim(config.output, prediction_record(replace(config, film=other)))
    assert names(config) == ["mine.txt", RECORD]


def test_a_film_that_changed_is_another_and_a_copy_is_not(config, tmp_path):
    with_results(config)
    copy = tmp_path / "elsewhere" / "film.mp4"
    copy.parent.mkdir()
    copy.write_bytes(config.film.read_bytes())
    check(config, film=copy)
    copy.write_bytes(b"A film")
    with pytest.raises(BadInputError, match="another film"):
        check(config, film=copy)


def test_results_that_name_nothing_are_not_mixed_with_others(config):
    config.output.mkdir()
    (config.output / "notes.txt").write_text("mine")
    check(config)
    (config.output / "track_0.bvh").write_text("whose?")
    with pytest.raises(BadInputError, match="do not say of what"):
        check(config)


@pytest.mark.parametrize("name", ["overlay.mp4", "track_7.bvh"])
def test_no_result_replaces_the_film(config, name):
    config.output.mkdir()
    (config.output / name).write_bytes(b"a film")
    with pytest.raises(BadInputError, match="would be replaced"):
        check(config, film=config.output / name, overwrite=True)


def test_exports_of_other_poses_are_not_mixed(tmp_path):
    for name in ("a.npz", "b.npz"):
        np.savez(tmp_path / name, name=np.array(name))
    config = ExportConfig(tmp_path / "a.npz", tmp_path / "out", ("trc",))
    config.output.mkdir()
    claim(config.output, export_record(config, config.poses, "a.mp4"))
    (config.output / "track_0.trc").write_text("results")
    check_output(config.output, export_record(config, config.poses, "a.mp4"), False, ())
    with pytest.raises(BadInputError, match="another film"):
        check_output(config.output, export_record(config, tmp_path / "b.npz", "b.mp4"), False, ())
    with pytest.raises(BadInputError, match=r"other settings \(poses\)"):
        check_output(config.output, export_record(config, tmp_path / "b.npz", "a.mp4"), False, ())
