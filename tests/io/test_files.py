"""files.py: what is tried before work, and what stays after it."""

import re
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from kinepose.io.errors import BadInputError
from kinepose.io.files import check_file, check_folder, making, replacing, replacing_several


def test_a_trial_leaves_nothing_and_takes_nothing_away(tmp_path):
    for folder in (tmp_path, tmp_path / "a" / "b" / "c"):
        check_folder(folder)
        check_file(folder / "file.json")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "empty").mkdir()
    check_folder(tmp_path / "empty" / "deep")
    check_folder(tmp_path / "none" / ".." / "deep")
    assert [path.name for path in tmp_path.rglob("*")] == ["empty"]


def test_trials_at_the_same_moment_do_not_disturb_each_other(tmp_path):
    """None clears a folder away that another one is about to use."""
    folder = tmp_path / "deep" / "new"
    with ThreadPoolExecutor(4) as pool:
        for _ in pool.map(lambda _: [check_folder(folder) for _ in range(200)], range(4)):
            pass
    assert list(tmp_path.iterdir()) == []


def test_where_nothing_can_be_written_is_said_before(tmp_path):
    text = tmp_path / "text"
    text.write_text("no folder")
    with pytest.raises(BadInputError, match="no folder"):
        check_folder(text / "deep")
    with pytest.raises(BadInputError, match="text is no folder"):
        check_folder(text)
    (tmp_path / "link").symlink_to("nowhere")
    with pytest.raises(BadInputError, match="link is no folder"):
        check_folder(tmp_path / "link" / "deep")
    (tmp_path / "link").unlink()
    for folder in (tmp_path, tmp_path / "new"):
        with pytest.raises(BadInputError, match=r"cannot write into .*long"):
            check_folder(folder / f"long{'g' * 300}")
    with pytest.raises(BadInputError, match="it is a folder, not a file"):
        check_file(tmp_path)
    assert list(tmp_path.iterdir()) == [text]


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="no /proc on this system")
def test_not_even_root_writes_everywhere():
    with pytest.raises(BadInputError, match="cannot write into /proc/nowhere"):
        check_folder(Path("/proc/nowhere"))
    with pytest.raises(BadInputError, match="it is a device"):
        check_file(Path("/dev/null"))


def test_folders_that_were_made_stay_if_something_is_in_them(tmp_path):
    with making(tmp_path / "a" / "b"):
        (tmp_path / "a" / "kept").write_text("kept")
    assert {path.name for path in tmp_path.rglob("*")} == {"a", "kept"}
    with pytest.raises(KeyboardInterrupt), replacing(tmp_path / "c" / "d" / "file") as temporary:
        temporary.write_text("half")
        raise KeyboardInterrupt
    assert {path.name for path in tmp_path.rglob("*")} == {"a", "kept"}


def test_several_files_come_together_or_not_at_all(tmp_path):
    folder = tmp_path / "run"
    for text in ("one", "two"):
        with replacing_several(folder) as beside:
            for name in ("a", "b"):
                (beside / name).write_text(text)
    assert {path.name: path.read_text() for path in folder.iterdir()} == {"a": "two", "b": "two"}
    with pytest.raises(OSError, match="full"), replacing_several(folder) as beside:
        (beside / "a").write_text("three")
        raise OSError("full")
    assert {path.name: path.read_text() for path in folder.iterdir()} == {"a": "two", "b": "two"}
    with pytest.raises(OSError, match="full"), replacing_several(tmp_path / "new") as beside:
        raise OSError("full")
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_who_writes_the_same_names_at_the_same_time_writes_wholly(tmp_path):
    """The last one stays, whoever began first."""
    path, folder = tmp_path / "file.txt", tmp_path / "run"
    with replacing(path) as first:
        first.write_text("first")
        with replacing(path) as second:
            second.write_text("second")
        assert path.read_text() == "second"
    assert path.read_text() == "first"
    with replacing_several(folder) as first:
        (first / "a").write_text("first")
        with replacing_several(folder) as second:
            for name in ("a", "b"):
                (second / name).write_text("second")
        (first / "b").write_text("first")
    assert {path.name: path.read_text() for path in folder.iterdir()} == {
        "a": "first",
        "b": "first",
    }
    assert {path.name for path in tmp_path.iterdir()} == {"file.txt", "run"}


def test_the_longest_names_are_written_as_others(tmp_path):
    path = tmp_path / f"{'n' * 236}.npz"
    with replacing(path) as temporary:
        temporary.write_text("whole")
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_in_the_place_of_a_file_is_named(tmp_path):
    (tmp_path / "file").mkdir()
    with pytest.raises(OSError) as caught, replacing(tmp_path / "file") as temporary:
        temporary.write_text("whole")
    assert caught.value.filename2 == str(tmp_path / "file")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


SAVE = """
import resource, signal, sys, torch
from pathlib import Path
from kinepose.io.tensor_files import save_tensors
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # killed within the write, as if by SIGKILL
if sys.argv[2] == "killed":
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
save_tensors({"weights": torch.zeros(100_000)}, Path(sys.argv[1]))
"""


def test_what_a_killed_process_left_is_gone_after_the_next_save(tmp_path):
    def save(how):
        command = [sys.executable, "-c", SAVE, tmp_path / "model.safetensors", how]
        return subprocess.run(command, check=False).returncode

    assert save("killed") == -signal.SIGXFSZ
    (left,) = [path.name for path in tmp_path.iterdir()]
    assert re.fullmatch(r"\.model\.\w{8}-\d+-\w{8}\.part\.safetensors", left)
    (tmp_path / left.replace("model.", "").replace(".safetensors", "") / "a").mkdir(parents=True)
    with replacing(tmp_path / "mine") as mine, replacing_several(tmp_path) as several:
        mine.write_text("not finished")
        assert save("whole") == 0
        assert {path.name for path in tmp_path.iterdir()} == {
            *("model.safetensors", mine.name, several.name),
        }
    assert {path.name for path in tmp_path.iterdir()} == {"model.safetensors", "mine"}
