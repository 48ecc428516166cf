"""tools/release.py with a tiny model; and the model that came with the package, if one did."""

import hashlib
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.conftest import TINY_MODEL
from tools.mean_run import MeanRunConfig, mean_run
from tools.release import ReleaseConfig, _stages, half_precision, model_card, release

from kinepose.artifacts.model_files import load_model
from kinepose.artifacts.pose_files import read_poses
from kinepose.artifacts.run_folder import WEIGHTS, run_folder
from kinepose.benchmarks.synthworld_recipes import WORLDS
from kinepose.cli import _defaults
from kinepose.evaluation.config import ScoreConfig
from kinepose.evaluation.score import score
from kinepose.inference.config import PredictConfig
from kinepose.inference.predict import predict
from kinepose.io.errors import BadInputError
from kinepose.io.places import check_places
from kinepose.io.settings import SHIPPED
from kinepose.training.config import PRESETS
from kinepose.training.train import train
from kinepose.video.config import PeopleConfig

FILES = ["MODEL_CARD.md", "config.json", "figures.json", "model.safetensors"]


@pytest.fixture(scope="module")
def settings(clips, prior, tmp_path_factory):
    """Of a run of a few iterations that goes on from another."""
    root = tmp_path_factory.mktemp("runs")
    for name in ("first", "second"):
        (root / name).mkdir()
        shutil.copy(prior, root / name / "prior.npz")
    return replace(
        PRESETS["cpu"],
        output=root / "first",
        clips=(clips,),
        iterations=6,
        warm_up=2,
        consistency_from=2,
        batch_size=3,
        prior_images=4,
        threads=1,
        model=TINY_MODEL,
    )


@pytest.fixture(scope="module")
def run(settings):
    train(settings)
    second = settings.output.with_name("second")
    train(replace(settings, output=second, start=settings.output, warm_up=0, iterations=3))
    return second


@pytest.fixture(scope="module")
def scores(run, synthworld, tmp_path_factory):
    """On the benchmark that takes seconds, and the same figures as if of a larger one."""
    folder = tmp_path_factory.mktemp("scores")
    score(ScoreConfig(run, synthworld, folder / "tiny.json", device="cpu"))
    held = json.loads((folder / "tiny.json").read_text())
    held["benchmark"]["size"] = "small"
    (folder / "small.json").write_text(json.dumps(held))
    return folder / "small.json", folder / "tiny.json"


@pytest.fixture(scope="module")
def shipped(run, scores, tmp_path_factory):
    folder = tmp_path_factory.mktemp("package") / "weights"
    release(ReleaseConfig(run, scores, "two cores of a test", folder))
    return folder


def test_what_is_shipped_is_a_run_of_half_the_bytes_that_says_the_same(run, shipped):
    assert sorted(path.name for path in shipped.iterdir()) == FILES
    sizes = [(folder / "model.safetensors").stat().st_size for folder in (run, shipped)]
    assert sizes[1] < 0.6 * sizes[0]
    images = torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        before, after = (load_model(folder).predict(images) for folder in (run, shipped))
    torch.testing.assert_close(after.joints3d, before.joints3d, atol=5e-3, rtol=0)
    assert after.joints3d.dtype == torch.float32


def test_the_card_holds_every_figure_and_nothing_of_the_machine(shipped, scores, run):
    card = (shipped / "MODEL_CARD.md").read_text()
    rows = [line.split(" | ") for line in card.splitlines() if line.startswith("| ")]
    tables = [row for row in rows if row[0].removeprefix("| ") in TESTS]
    expected = [
        f"{split['p_mpjpe']:.1f}"
        for path in scores
        for split in json.loads(path.read_text())["splits"].values()
    ]
    assert [row[2] for row in tables] == expected and len(expected) == 2 * len(TESTS)
    digest = hashlib.sha256((shipped / "model.safetensors").read_bytes()).hexdigest()
    assert digest in card and "two cores of a test" in card
    for stage, turns in enumerate(("3 iterations of `prior`", "1 iterations of `prior`")):
        assert turns in card.partition(f"{stage + 1}. Preset `cpu`")[2]
    assert "No pose, box or outline" in card
    for path in shipped.glob("*.*"):
        assert str(run.parent).encode() not in path.read_bytes()
    assert model_card(json.loads((shipped / "figures.json").read_text())) == card


def test_what_goes_on_from_a_released_model_tells_all_that_made_it(
    shipped, run, settings, tmp_path
):
    released = shutil.copytree(shipped, tmp_path / "released")
    again = replace(settings, output=tmp_path / "again", start=released, iterations=2, warm_up=2)
    train(again)
    stages = _stages(again.output)
    turns = [stage["iterations"] for stage in stages]
    assert turns == [*(stage["iterations"] for stage in _stages(run)), {"prior": 2}]
    figures = json.loads((released / "figures.json").read_text())
    (released / "figures.json").write_text(json.dumps(figures | {"stages": stages}))
    assert _stages(again.output) == stages, "it is in place of what it started from"


def test_labels_that_were_used_are_on_the_card(shipped):
    figures = json.loads((shipped / "figures.json").read_text())
    figures["stages"][0]["variant"] = "weakly"
    card = model_card(figures)
    assert "Labels of videos were used" in card and "No pose, box or outline" not in card


def test_the_name_shipped_stands_for_it(shipped, settings, videos, monkeypatch, tmp_path):
    monkeypatch.setattr("kinepose.artifacts.run_folder.WEIGHTS", shipped)
    video = next((videos / "films").glob("*.mp4"))
    people = PeopleConfig(detector="file", boxes=videos / "boxes.csv")
    predict(PredictConfig(video, tmp_path, people=people, overlay=False, viewer=False))
    poses, digest = (
        read_poses(tmp_path),
        hashlib.sha256((shipped / "model.safetensors").read_bytes()),
    )
    assert poses.model_sha256 == digest.hexdigest()
    defaults = _defaults(["--start", "shipped", "--preset", "paper"])
    assert defaults == replace(PRESETS["paper"], model=TINY_MODEL)
    output = tmp_path / "run"
    train(replace(settings, output=output, start=SHIPPED, iterations=0))
    again, model = load_model(output).state_dict(), load_model(shipped).state_dict()
    assert all(torch.equal(again[name], model[name]) for name in model)
    with pytest.raises(BadInputError, match="package's own"):
        train(replace(settings, output=SHIPPED))


def test_a_package_without_a_model_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr("kinepose.artifacts.run_folder.WEIGHTS", tmp_path)
    with pytest.raises(BadInputError, match="no model came with"):
        load_model(SHIPPED)
    assert run_folder(tmp_path) == tmp_path


def test_weights_that_do_not_fit_are_refused():
    with pytest.raises(BadInputError, match=r"30\.1 MB"):
        half_precision({"wide": torch.zeros(15_050_000)})
    with pytest.raises(BadInputError, match="tall has numbers"):
        half_precision({"tall": torch.tensor([1.0, 70_000.0])})
    kept = half_precision({"count": torch.tensor(70_000), "one": torch.tensor([1 / 3])})
    assert kept["count"] == 70_000 and kept["one"].dtype == torch.float16


def test_the_run_itself_is_not_written_over(run, scores):
    with pytest.raises(BadInputError, match=r"(config\.json|model\.safetensors): it is read"):
        check_places(ReleaseConfig(run, scores, "machine", run))


def test_bad_input_is_one_line_and_leaves_nothing(run, settings, scores, tmp_path):
    def changed(**changes):
        path = tmp_path / f"changed_{len(list(tmp_path.iterdir()))}.json"
        path.write_text(json.dumps(json.loads(scores[0].read_text()) | changes))
        return path

    held = json.loads(scores[0].read_text())["splits"]
    (tmp_path / "text.json").write_text("[1]")
    good = ReleaseConfig(run, scores, "machine", tmp_path / "weights")
    for changes, says in [
        ({"run": tmp_path}, "not a run"),
        ({"run": settings.output}, "another model's"),
        ({"scores": scores[:1]}, "tiny"),
        ({"scores": scores[1:]}, "a larger size"),
        ({"scores": (tmp_path / "text.json", scores[1])}, "text.json"),
        ({"scores": (tmp_path / "none.json", scores[1])}, "none.json"),
        (
            {"scores": (changed(splits={"seen_world": {}}), scores[1])},
            r"_\d\.json: (splits|bench)",
        ),
        ({"scores": (changed(benchmark={}), scores[1])}, r"_\d\.json: (splits|bench)"),
        ({"scores": (changed(benchmark=5), scores[1])}, r"_\d\.json: (splits|bench)"),
        ({"scores": (changed(splits={TESTS[0]: held[TESTS[0]]}), scores[1])}, TESTS[1]),
    ]:
        with pytest.raises(BadInputError, match=says) as caught:
            release(replace(good, **changes))
        assert "\n" not in str(caught.value)
        assert not (tmp_path / "weights").exists()


TESTS = WORLDS[2].tests
needs_weights = pytest.mark.skipif(
    not (WEIGHTS / "model.safetensors").is_file(), reason="no model came with this kinepose"
)


@needs_weights
def test_the_shipped_model_is_the_one_of_its_card():
    figures = json.loads((WEIGHTS / "figures.json").read_text())
    weights = (WEIGHTS / "model.safetensors").read_bytes()
    assert hashlib.sha256(weights).hexdigest() == figures["model_sha256"]
    assert len(weights) == figures["bytes"] < 30e6
    assert (WEIGHTS / "MODEL_CARD.md").read_text() == model_card(figures)


@needs_weights
@pytest.mark.parametrize("version", [1, 2])
def test_the_shipped_model_has_the_figures_of_its_card(version, synthworlds, tmp_path, monkeypatch):
    """On the benchmark that is made in seconds; codecs, float16 and processors change a little:
    a video of unseen_look came out 1.5 mm easier on Intel's than on AMD's."""
    (held,) = (
        held
        for held in json.loads((WEIGHTS / "figures.json").read_text())["scores"]
        if held["benchmark"]["size"] == "tiny" and held["benchmark"]["version"] == version
    )
    benchmark, tests = synthworlds(version), WORLDS[version].tests
    monkeypatch.setattr("kinepose.evaluation.score.paints_people", lambda run: False)  # no energy
    again = score(ScoreConfig(SHIPPED, benchmark, tmp_path / "scores.json", device="cpu"))
    for name in ("p_mpjpe", "joints2d", "spread"):
        expected = [held["splits"][test][name] for test in tests]
        tolerance = 0.005 if name == "joints2d" else 3.0
        actual = [again[test][name] for test in tests]
        np.testing.assert_allclose(actual, expected, atol=tolerance)


def test_a_mean_lies_half_way_between_a_run_and_its_start(run, settings, tmp_path):
    mean_run(MeanRunConfig(run, tmp_path / "mean"))
    ends = [load_model(folder).state_dict() for folder in (settings.output, run)]
    for name, tensor in load_model(tmp_path / "mean").state_dict().items():
        first, last = (end[name] for end in ends)
        wanted = (first + last) / 2 if tensor.is_floating_point() else last
        torch.testing.assert_close(tensor, wanted)
    with pytest.raises(BadInputError, match="started from no other"):
        mean_run(MeanRunConfig(settings.output, tmp_path / "other"))
    with pytest.raises(BadInputError, match="holds a run"):
        mean_run(MeanRunConfig(run, settings.output))
