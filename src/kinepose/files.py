"""Files appear whole or not at all; what is only read may lie elsewhere; which are pictures."""

import os
import tempfile
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from fsspec import AbstractFileSystem
from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

from kinepose.errors import BadInputError

PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})


def check_folder(folder: Path) -> None:
    """Write into a folder that may not exist yet, and clear it away: a trial before long work.

    Only a trial tells: who is root may write everywhere, says the system, and then may not.

    Raises:
        BadInputError: if that cannot be done.
    """
    exists = next(path for path in (folder, *folder.absolute().parents) if os.path.exists(path))
    if not exists.is_dir():
        raise BadInputError(f"cannot write into {folder}: {exists} is no folder")
    try:
        with making(folder):
            tempfile.TemporaryFile(dir=folder).close()
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
def replacing(path: Path) -> Generator[Path]:
    """A temporary path beside `path`, with its suffix, that takes its place if the block succeeds.

    If the block fails nothing of it stays, nor do folders that were made for it.
    """
    temporary = unfinished(path)
    with making(path.parent):
        try:
            yield temporary
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def unfinished(path: Path) -> Path:
    """Where `replacing` writes meanwhile: what a process leaves that was killed."""
    return path.with_name(f".{path.stem}.part{path.suffix}")


@contextmanager
def reading(folder: Path | str) -> Generator[tuple[AbstractFileSystem, str]]:
    """The file system of a folder or of an address, and the folder's place in it.

    Raises:
        BadInputError: if the block fails on what cannot be read.
    """
    try:
        if isinstance(folder, Path):
            yield LocalFileSystem(), str(folder.absolute())
        else:
            yield url_to_fs(folder)
    except BadInputError:
        raise
    except Exception as error:  # each protocol has errors of its own
        first = (str(error) or type(error).__name__).splitlines()[0]
        raise BadInputError(f"cannot read {folder}: {first}") from error
