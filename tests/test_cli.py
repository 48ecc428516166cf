"""What the command line makes of words, by itself: the commands have tests of their own."""

import pytest
from tests.conftest import run_here

from kinepose import cli
from kinepose.io.errors import BadInputError, SettingError
from kinepose.training.config import PRESETS, TrainConfig


@pytest.fixture
def called(monkeypatch, capsys):
    """A call of `train`, which does nothing here; gives its status, its lines and its settings."""
    configs = []
    monkeypatch.setitem(cli.COMMANDS, "train", (configs.append, TrainConfig))

    def call(*words):
        configs.clear()
        status, lines = run_here(monkeypatch, capsys, "train", *words)
        return status, lines, configs[0] if configs else None

    return call


def test_usage_names_every_command_and_what_it_does(monkeypatch, capsys):
    for words in ((), ("-h",), ("--help",)):
        monkeypatch.setattr("sys.argv", ["kinepose", *words])
        cli.main()
        first, _, *lines = capsys.readouterr().out.splitlines()
        assert first.startswith("usage: kinepose COMMAND")
        assert [line.split()[0] for line in lines] == list(cli.COMMANDS)
        assert all(len(line.split()) > 2 for line in lines)


def test_a_command_that_is_none_is_one_line(monkeypatch, capsys):
    status, (line,) = run_here(monkeypatch, capsys, "trian", "--output", "x")
    assert status == 2 and "no command 'trian'" in line and "train" in line.split(":")[-1]


def test_a_preset_is_what_stands_where_nothing_is_said(called):
    status, lines, config = called("--output", "x", "--preset", "paper", "--batch-size", "7")
    assert (status, lines) == (0, []) and config.batch_size == 7
    assert config.model == PRESETS["paper"].model and config.optimiser == PRESETS["paper"].optimiser
    assert called("--output", "x")[2].model == PRESETS["cpu"].model
    assert called("--output", "x", "--preset=paper")[2].model == PRESETS["paper"].model
    status, (line,), config = called("--output", "x", "--preset", "papre")
    assert status == 2 and config is None and "no preset 'papre'" in line


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--output="], "--output is empty"),
        (["--output", ""], "--output is empty"),
        ([""], "a name is empty"),
        (["--output", "x", "--batch-size", "many"], "--batch-size"),
        (["--output", "x", "--batch-size", "0"], "--batch-size 0: must be at least 1"),
        (["--output", "x", "--model.image-size", "7"], "--model.image-size 7"),
        (["--output", "x", "--nothing", "1"], "--nothing"),
    ],
)
def test_settings_that_cannot_be_are_named_as_they_were_given(called, words, says):
    status, (line,), config = called(*words)
    assert status == 2 and config is None and says in line and "kinepose train --help" in line


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (BadInputError("two\nlines  of it"), "kinepose: two lines of it"),
        (BadInputError("a\x1b[31mred"), "kinepose: a\\x1b[31mred"),
        (FileNotFoundError(2, "No such file", "here"), "kinepose: No such file: here"),
        (KeyboardInterrupt(), "kinepose: interrupted"),
        (MemoryError(), "kinepose: train: there is not enough memory for this"),
    ],
)
def test_what_goes_wrong_is_one_line(monkeypatch, capsys, error, says):
    def fails(config):
        raise error

    monkeypatch.setitem(cli.COMMANDS, "train", (fails, TrainConfig))
    assert run_here(monkeypatch, capsys, "train", "--output", "x") == (2, [says])


def test_a_long_line_has_its_ends(monkeypatch, capsys):
    def fails(config):
        raise SettingError("output", "begins" + "x" * 5000 + "ends")

    monkeypatch.setitem(cli.COMMANDS, "train", (fails, TrainConfig))
    _, (line,) = run_here(monkeypatch, capsys, "train", "--output", "x")
    assert len(line) < cli.LONGEST_LINE + 30 and "begins" in line and line.endswith("ends")
