"""Bugs, interruptions and warnings: what a command says last."""

import os
import signal
import time
import warnings

from tests.bad_input.good_inputs import contents
from tests.conftest import run_here

from kinepose import cli
from kinepose.io.errors import VideoWarning
from kinepose.io.files import replacing


def test_what_we_did_not_foresee_is_caught_at_the_top(place, monkeypatch, capsys):
    def broken(_):
        raise ZeroDivisionError("by us")

    monkeypatch.setitem(cli.COMMANDS, "info", (broken, cli.COMMANDS["info"][1]))
    status, (line,) = run_here(monkeypatch, capsys, "info", "run")
    assert status == 70 and "Traceback" not in line and "this is a bug" in line
    (path,) = (place / ".state").rglob("*.txt")
    assert str(path) in line
    written = path.read_text()
    assert "ZeroDivisionError: by us" in written and "['info', 'run']" in written


def test_ctrl_c_and_a_full_memory_are_no_bugs(place, monkeypatch, capsys):
    for error, says in ((KeyboardInterrupt, "interrupted"), (MemoryError, "memory")):

        def stopped(_, error=error):
            raise error

        monkeypatch.setitem(cli.COMMANDS, "info", (stopped, cli.COMMANDS["info"][1]))
        status, (line,) = run_here(monkeypatch, capsys, "info", "run")
        assert status == 2 and says in line
    assert not (place / ".state").exists()


def test_who_is_told_to_end_clears_up(place, monkeypatch, capsys):
    def killed(_):
        with replacing(place / "out.json") as temporary:
            temporary.write_text("half")
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(10)

    before = contents(place)
    monkeypatch.setitem(cli.COMMANDS, "info", (killed, cli.COMMANDS["info"][1]))
    status, (line,) = run_here(monkeypatch, capsys, "info", "run")
    assert status == 2 and "interrupted" in line
    assert contents(place) == before and not (place / ".state").exists()


def test_what_libraries_warn_of_is_not_said(place, monkeypatch, capsys):
    def warned(_):
        warnings.warn("of interest to developers", RuntimeWarning, stacklevel=1)
        warnings.warn("video.mp4 is broken", VideoWarning, stacklevel=1)

    monkeypatch.setitem(cli.COMMANDS, "info", (warned, cli.COMMANDS["info"][1]))
    assert run_here(monkeypatch, capsys, "info", "run") == (0, ["kinepose: video.mp4 is broken"])
