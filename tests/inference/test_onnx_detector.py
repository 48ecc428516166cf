from pathlib import Path

import numpy as np
import pytest

from kinepose.detection.finding import find_people, torch_answer
from kinepose.detection.weights import load_detector
from kinepose.inference.onnx_detector import export_detector, onnx_answer, people_path
from kinepose.io.errors import BadInputError
from kinepose.synthetic import places


def test_by_onnx_the_same_people_are_found_in_images_of_any_shape(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    assert onnx_answer(path) is None
    export_detector(path)
    by_onnx, by_torch = onnx_answer(path), torch_answer(load_detector())
    assert by_onnx is not None
    scene = places.test_places()[0]
    for image in (scene[:200, :320], scene[:320, :150]):
        found = [np.stack([*find_people(answer, [image], 0.01)]) for answer in (by_torch, by_onnx)]
        assert found[0].shape[1] > 0
        np.testing.assert_allclose(found[1], found[0], atol=0.05)

    people_path(path).write_bytes(people_path(path).read_bytes()[:5000])
    with pytest.raises(BadInputError, match="no ONNX file"):
        onnx_answer(path)


def test_a_network_of_another_version_is_one_line(tmp_path: Path, monkeypatch) -> None:
    class Session:
        def get_modelmeta(self) -> object:
            return type("Meta", (), {"custom_metadata_map": {"kinepose.weights": "other"}})()

    monkeypatch.setattr("kinepose.inference.onnx_detector.open_session", lambda path: Session())
    people_path(tmp_path / "model.onnx").touch()
    with pytest.raises(BadInputError, match="another version"):
        onnx_answer(tmp_path / "model.onnx")
