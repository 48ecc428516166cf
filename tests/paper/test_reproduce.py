"""Miniatures of the paper's tables, on benchmarks of a few images."""

import csv
import json
import statistics
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.benchmarks.test_convert import CAMERAS, RIG
from tests.tiny_h36m import write_fetch
from tests.tiny_mpi_inf_3dhp import write_3dhp_sequence, write_3dhp_test

from kinepose.artifacts.model_files import new_model
from kinepose.artifacts.run_folder import read_log
from kinepose.io.errors import BadInputError
from kinepose.paper.config import ReproduceConfig
from kinepose.paper.protocols import Protocol
from kinepose.paper.reproduce import reproduce
from kinepose.paper.tables import STREAM, SUPERVISION, write_tables
from kinepose.training.checkpoint import trained_with
from kinepose.training.config import PRESETS, TrainConfig


def table(path, heading):
    """The cells of the first table after a heading."""
    lines = path.read_text().partition(heading)[2].splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("|"))
    rows = []
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return [rows[0], *rows[2:]]


def test_two_rows_of_synthworld_are_trained_scored_and_drawn_up(synthworld, tmp_path, capsys):
    config = ReproduceConfig(
        *(tmp_path, "synthworld", synthworld, 2, "tiny"),
        iterations=9,
        rows=("prior", "unsup"),
        seeds=(3,),
        device="cpu",
        threads=1,
    )
    reproduce(config)
    runs = tmp_path / "runs"
    assert {line["loss"] for line in read_log(runs / "prior" / "3")} == {"prior"}
    base, unsup = (read_log(runs / name / "3") for name in ("base", "unsup"))
    assert {line["loss"] for line in base} == {"prior", "paired", "unpaired"}
    assert [line["loss"] for line in unsup] == ["prior", "paired", "prior"]
    assert len(base) + len(unsup) == len(read_log(runs / "prior" / "3")) == 9
    assert len(base) == 6
    assert trained_with(runs / "unsup" / "3").start == runs / "base" / "3"

    head, *rows = table(tmp_path / "tables.md", "# synthworld 2 tiny")
    assert head[3:] == [
        *("seen_world", "unseen_motion", "unseen_place", "unseen_look", "foreign_look"),
        "moving_camera",
    ]
    assert [row[0] for row in rows] == ["prior", "unsup", "mean pose", "nearest prior", "floor"]
    assert all("20 synthetic renders" in row[1] for row in rows[:2])
    scores = json.loads((tmp_path / "scores" / "unsup_3.json").read_text())
    assert [float(cell) for cell in rows[1][3:]] == pytest.approx(list(scores.values()), abs=0.05)
    with (tmp_path / "table.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 2 * 6
    assert (tmp_path / "bars.png").stat().st_size > 5000

    before = {path: path.stat().st_mtime_ns for path in runs.rglob("*")}
    tables = (tmp_path / "tables.md").read_text()
    capsys.readouterr()
    reproduce(config)
    assert {path: path.stat().st_mtime_ns for path in runs.rglob("*")} == before
    assert "seed 3" not in capsys.readouterr().out
    (tmp_path / "scores" / "unsup_3.json").unlink()
    reproduce(config)
    assert json.loads((tmp_path / "scores" / "unsup_3.json").read_text()) == scores
    assert {path: path.stat().st_mtime_ns for path in runs.rglob("*")} == before
    for other in ({"iterations": 12}, {"preset": "paper"}, {"size": "small"}, {"more": (runs,)}):
        with pytest.raises(BadInputError, match=f"holds rows with {next(iter(other))} "):
            reproduce(replace(config, **other))
    record = tmp_path / "reproduction.json"
    record.write_text(record.read_text().replace("content ", "content 0"))
    with pytest.raises(BadInputError, match="holds rows of synthworld 2 tiny, content 0"):
        reproduce(config)
    assert (tmp_path / "tables.md").read_text() == tables


@pytest.mark.parametrize("benchmark", ["h36m", "mpi_inf_3dhp"])
def test_licensed_benchmarks_train_and_score(benchmark, tmp_path):
    folder = tmp_path / "data"
    if benchmark == "h36m":
        numbers = np.arange(1, 400, 25)  # two frames a second, for eight seconds
        write_fetch(folder / "processed" / "S1" / "Eating-1", numbers, CAMERAS)
        write_fetch(folder / "processed" / "S9" / "Walking-1", np.arange(1, 5), CAMERAS)
    else:
        write_3dhp_sequence(folder / "S1" / "Seq1", 60, RIG)
        write_3dhp_test(folder / "TS1", [1, 0, 1], [1, 1, 2], RIG[1])
    output = tmp_path / "out"
    reproduce(
        ReproduceConfig(
            *(output, benchmark, folder),
            iterations=2,
            rows=("full",),
            seeds=(0,),
            device="cpu",
            threads=1,
        )
    )
    head, row, *baselines = table(output / "tables.md", "# ")
    figures = dict(zip(head[3:], map(float, row[3:]), strict=True))
    assert list(figures) == (
        ["p_mpjpe"] if benchmark == "h36m" else ["pck", "auc", "mpjpe", "p_mpjpe"]
    )
    assert 50 < figures["p_mpjpe"] < 500
    best = {name: float(cells[-1]) for name, _, _, *cells in baselines}
    assert best.keys() == {"mean pose", "nearest prior", "floor"}
    assert 0 < best["mean pose"] < figures["p_mpjpe"], "of two iterations"
    assert 0 < best["floor"] < best["nearest prior"]


def test_the_tables_say_what_hand_worked_scores_say(tmp_path):
    values = {
        "prior": {0: 180.0, 1: 190.0},
        "unsup": {0: 150.0, 1: 150.0},
        "full": {0: 120.0, 1: 130.0},
    }
    (tmp_path / "scores").mkdir()
    for name, seeds in values.items():
        for seed, value in seeds.items():
            path = tmp_path / "scores" / f"{name}_{seed}.json"
            path.write_text(json.dumps({"test": value}))
            path.with_name(f"{name}_{seed}_splits.json").write_text("{}")
    write_tables(tmp_path, "nothing", {"mean_pose": {"test": 140.0}})
    rows = {row[0]: row for row in table(tmp_path / "tables.md", "# nothing")}
    assert rows["prior"][2:] == ["2", f"185.0 ± {statistics.stdev([180, 190]):.1f}"]
    assert rows["mean pose"][3] == "140.0"
    assert rows["gap from prior to full that unsup closes"][3] == "58%"  # 35 of 60
    assert rows["full"][1].startswith("20 synthetic renders")
    changes = table(tmp_path / "tables.md", "Paired differences")
    assert ["prior", "unsup", "-35.0 (-40.0 to -30.0)"] in changes
    assert ["unsup", "full", "-25.0 (-30.0 to -20.0)"] in changes
    write_tables(tmp_path, "nothing", {}, STREAM)
    streamed = {row[0]: row[1] for row in table(tmp_path / "tables.md", "# nothing")}
    assert streamed["prior"] == STREAM
    assert streamed["full"] == f"{STREAM} to warm up; all 2D and 3D labels"


@pytest.fixture
def trained(monkeypatch, tmp_path):
    """Settings of every training of all rows, by stage; nothing is trained, nor scored."""

    def run(preset: str = "cpu") -> dict[str, TrainConfig]:
        done: dict[str, TrainConfig] = {}
        protocol = Protocol("x", (OWN,), (LABELS,), "mm", lambda *_: {"test": 1.0}, dict)
        monkeypatch.setattr("kinepose.paper.reproduce.open_protocol", lambda _: protocol)
        monkeypatch.setattr("kinepose.paper.reproduce.read_clips", lambda _: None)
        monkeypatch.setattr(
            "kinepose.paper.reproduce.train", lambda c: done.update({c.output.parent.name: c})
        )
        monkeypatch.setattr("kinepose.paper.reproduce.write_tables", lambda *_: None)
        output = tmp_path / preset
        reproduce(ReproduceConfig(output, preset=preset, iterations=300, more=(MORE,), seeds=(4,)))
        return done

    return run


OWN, MORE, LABELS = Path("own/clips"), Path("more/clips"), Path("own/labels")


def test_weakly_and_semi_are_trained_further_from_unsup(trained):
    """Sec. 4a; each with its own labels, on the static clips of the benchmark."""
    runs = trained()
    for name, variant in (("weakly", "weakly"), ("semi", "semi")):
        run = runs[name]
        assert run.start == runs["unsup"].output
        assert (run.variant, run.labels, run.clips) == (variant, (LABELS,), (OWN,))
        assert run.warm_up == run.consistency_from == 0 and not run.unpaired
    unsup = runs["unsup"]
    assert unsup.start == runs["base"].output
    assert (unsup.variant, unsup.labels, unsup.clips) == ("unsupervised", (), (OWN,))


def test_the_rows_of_table_4_differ_in_what_the_table_says_alone(trained):
    runs = trained()
    base, unsup = runs["base"], runs["unsup"]
    assert base.clips == (OWN, MORE) and base.unpaired
    for name, model in (
        ("d_p", {}),
        ("no_t_fk", {"kinematics": "network"}),
        ("no_t_m", {"maps": "network"}),
    ):
        first, last = runs[f"base_{name}"], runs[name]
        other = replace(base.model, **model)
        assert first == replace(base, output=first.output, unpaired=False, model=other)
        assert last == replace(unsup, output=last.output, start=first.output, model=other)


def test_rows_have_equally_many_iterations(trained):
    runs = trained()

    def all_of(name: str) -> int:
        before = runs[name].start
        return runs[name].iterations + (all_of(before.parent.name) if before else 0)

    counts = {name: all_of(name) for name in SUPERVISION}
    assert counts == dict.fromkeys(SUPERVISION, 300) | {"weakly": 400, "semi": 400}
    assert runs["unseen"].clips == (MORE,) and runs["prior"].variant == "prior"


@pytest.mark.parametrize("preset", PRESETS)
def test_every_row_says_its_supervision_and_fits_the_presets(trained, preset):
    supervised = {name: name for name in ("prior", "weakly", "semi", "full")}
    for name, run in trained(preset).items():
        assert run.variant == supervised.get(name, "unsupervised")
        if name in SUPERVISION:
            assert "synthetic renders" in SUPERVISION[name]
            assert ("label" in SUPERVISION[name]) == bool(run.labels)


@pytest.mark.parametrize("preset", ["cpu", "kinepose"])
def test_the_model_of_every_first_stage_can_be_built(trained, preset):
    models = {run.model for run in trained(preset).values() if run.start is None}
    assert {(m.kinematics, m.maps) for m in models} == {
        ("transform", "transform"),
        ("network", "transform"),
        ("transform", "network"),
    }
    for config in models:
        model = new_model(replace(config, pretrained=None)).eval()
        images = torch.rand(1, 3, config.image_size, config.image_size)
        with torch.no_grad():
            joints2d = model.predict(images).joints2d
            painted = model.paint(joints2d, model.appearance(images), images)
        assert painted.shape == images.shape


def test_all_rows_share_the_renders_of_a_stream(trained, tmp_path):
    folders = {run.stream.folder for run in trained("kinepose").values()}
    assert folders == {tmp_path / "kinepose" / "renders"}
    assert {run.stream.folder for run in trained("cpu").values()} == {None}


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"rows": ("priro",)}, "priro"),
        ({"preset": "cup"}, "cup"),
        ({"rows": ("unseen",)}, "--more"),
        ({"benchmark": "h36m"}, "--folder"),
        ({"iterations": 0}, "--iterations"),
        ({"seeds": (0, -1)}, "--seeds"),
        ({"rows": ("unseen",), "more": (Path("nowhere"),)}, "no clips .* in nowhere"),
    ],
)
def test_what_cannot_be_reproduced_is_one_line(settings, says, tmp_path):
    with pytest.raises(BadInputError, match=says) as caught:
        reproduce(ReproduceConfig(tmp_path / "out", **settings))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()
