"""Files appear whole or not at all; what is read is a file; what is broken is said in a line."""

import hashlib
import os
import platform
import re
import secrets
import shutil
import stat
import tempfile
import zlib
from collections.abc import Generator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

from kinepose.io.errors import BadInputError, KineposeError

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})
LONGEST_NAME = 240
"""Of what others are named after [bytes]: file systems allow 255, suffixes and all."""
_LONGEST_STEM = 200
"""Of a file that is written under a longer name meanwhile [bytes]."""
_MARKED = re.compile(
    r"\.(.*\.)?(?P<machine>[0-9a-f]{8})-(?P<process>\d{1,9})-[0-9a-f]{8}\.part(\.[^.]*)?", re.DOTALL
)
"""Names of what is not finished."""


def kind_of(path: Path) -> str:
    """What there is under a path, in words: nothing, a file, a folder, a pipe, a device."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):  # a link to itself, a name that cannot be
        return "nothing"
    kinds = {stat.S_IFREG: "a file", stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe"}
    return kinds.get(stat.S_IFMT(mode), "a socket" if stat.S_ISSOCK(mode) else "a device")


def regular_file(path: Path) -> Path:
    """The path itself, if there is a file to read: a pipe would wait for ever, a device not end.

    Raises:
        BadInputError: if there is none.
    """
    kind = kind_of(path)
    if kind == "nothing":
        raise BadInputError(f"no such file: {path}")
    if kind != "a file":
        raise BadInputError(f"{path} is {kind}, not a file")
    return path


def read_whole(path: Path) -> bytes:
    """All bytes of a file, which have to have room in memory, and so has what is made of them.

    Raises:
        BadInputError: if there is no file to read, or they do not.
    """
    check_memory(str(path), 2 * regular_file(path).stat().st_size)
    return path.read_bytes()


@contextmanager
def decoding(path: Path | str, what: str) -> Generator[None]:
    """What others' code raises on a broken file, whatever that is, becomes one line.

    Raises:
        BadInputError: if the block raises anything but errors of ours.
    """
    try:
        yield
    except KineposeError:
        raise
    except MemoryError as error:
        raise BadInputError(f"{path} has no room in memory") from error
    except Exception as error:
        raise BadInputError(f"{path} is no {what}, or is broken") from error


def check_memory(where: str, size: int) -> None:
    """That so many bytes have room in this machine's memory at all.

    Raises:
        BadInputError: if they do not.
    """
    room = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if size > room:
        raise BadInputError(
            f"{where} needs {size / 1e9:.3g} GB of memory, where there are {room / 1e9:.3g}"
        )


def check_folder(folder: Path) -> None:
    """Write where a folder is or is to be, and clear that away: a trial before long work.

    Only a trial tells: who is root may write everywhere, says the system, and then may not. What is
    made has a name of its own, as another command may be about to make or to use the folder.

    Raises:
        BadInputError: if that cannot be done.
    """
    whole = Path(os.path.abspath(folder))
    exists = next(path for path in (whole, *whole.parents) if os.path.lexists(path))
    if not exists.is_dir():
        raise BadInputError(f"cannot write into {folder}: {exists} is no folder")
    try:
        with beside(exists) as trial:
            there = trial / whole.relative_to(exists)
            there.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=there).close()
    except OSError as error:
        raise BadInputError(f"cannot write into {folder}: {error.strerror}") from error


def check_file(path: Path) -> None:
    """The same for a file that may be there: it is replaced, but nothing else is.

    Raises:
        BadInputError: if it cannot be.
    """
    if path.exists() and not path.is_file():
        kind = "a folder" if path.is_dir() else "a device"
        raise BadInputError(f"cannot write {path}: it is {kind}, not a file")
    check_folder(path.parent)


@contextmanager
def making(folder: Path) -> Generator[None]:
    """A folder, and those that it lies in; what of them holds nothing in the end is removed."""
    made = [path for path in (folder, *folder.parents) if not os.path.exists(path)]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    finally:
        for path in made:
            with suppress(OSError):  # not there, or not empty
                path.rmdir()


@contextmanager
def replacing(path: Path, mark: str | None = None) -> Generator[Path]:
    """A temporary path beside `path`, with its suffix, that takes its place if the block succeeds.

    If the block fails nothing of it stays, nor do folders that were made for it. Nobody else writes
    there; whoever has to clear up for a process that is killed gives it the mark.
    """
    temporary = unfinished(path, mark or new_mark())
    with making(path.parent):
        _clear_leftovers(path.parent.absolute())
        try:
            yield temporary
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


@contextmanager
def replacing_several(folder: Path) -> Generator[Path]:
    """A folder within, whose files take their places in `folder` if the block succeeds.

    If the block fails, or its process is killed, all that was there stays as it was.
    """
    with beside(folder) as within:
        yield within
        for path in sorted(within.iterdir()):
            os.replace(path, folder / path.name)


@contextmanager
def beside(folder: Path) -> Generator[Path]:
    """A new folder within `folder`, on the same disk: for what is moved from there in the end.

    Nobody else writes there. It is cleared away with what is left in it.
    """
    within = folder / f".{new_mark()}.part"
    with making(folder):
        _clear_leftovers(folder.absolute())
        try:
            within.mkdir()
            yield within
        finally:
            shutil.rmtree(within, ignore_errors=True)


def unfinished(path: Path, mark: str) -> Path:
    """Where `replacing` writes meanwhile."""
    stem = path.stem
    if len(os.fsencode(path.name)) > _LONGEST_STEM:
        stem = hashlib.sha256(os.fsencode(stem)).hexdigest()
    return path.with_name(f".{stem}.{mark}.part{path.suffix}")


def new_mark() -> str:
    """For names of what this process writes, and nobody else: it tells whose leftovers they are."""
    return f"{_machine()}-{os.getpid()}-{secrets.token_hex(4)}"


def _machine() -> str:
    """This machine, or the container on it: whose processes can be asked for by their number."""
    namespace = "/proc/self/ns/pid"
    numbers = os.readlink(namespace) if os.path.lexists(namespace) else ""
    return f"{zlib.crc32(f'{platform.node()} {numbers}'.encode()):08x}"


@cache
def _clear_leftovers(folder: Path) -> None:
    """What processes of this machine left in a folder when they were killed.

    A process looks for it once: folders may hold a hundred thousand files.
    """
    with suppress(OSError):
        for path in folder.iterdir():
            of = _MARKED.fullmatch(path.name)
            if of and of["machine"] == _machine() and not _lives(int(of["process"])):
                if path.is_dir():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink(missing_ok=True)


def _lives(process: int) -> bool:
    if os.name != "posix":  # elsewhere asking would end it
        return True
    try:
        os.kill(process, 0)  # asks, and sends nothing
    except ProcessLookupError:
        return False
    except OSError:  # somebody else's
        pass
    return True


@contextmanager
def reading(folder: Path | str) -> Generator[tuple[Any, str]]:
    """The file system of a folder or of an address, and the folder's place in it.

    Raises:
        BadInputError: if the block fails on what cannot be read.
    """
    from fsspec.core import url_to_fs  # only here: half of all commands need none
    from fsspec.implementations.local import LocalFileSystem

    try:
        if isinstance(folder, Path):
            yield LocalFileSystem(), str(folder.absolute())
        else:
            yield url_to_fs(folder)
    except BadInputError:
        raise
    except Exception as error:  # each protocol has errors of its own
        first = (
            getattr(error, "strerror", None) or str(error) or type(error).__name__
        ).splitlines()
        raise BadInputError(f"cannot read {folder}: {first[0]}") from error
