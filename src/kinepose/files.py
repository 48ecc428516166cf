"""Files appear whole or not at all; and which of them are pictures."""

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from kinepose.errors import BadInputError

PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})


def check_folder(folder: Path) -> None:
    """Whether files can be written into a folder that may not exist yet: before long work.

    Raises:
        BadInputError: if not.
    """
    exists = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not exists.is_dir():
        raise BadInputError(f"cannot write into {folder}: {exists} is no folder")
    if not os.access(exists, os.W_OK | os.X_OK):
        raise BadInputError(f"cannot write into {folder}: {exists} may not be written to")


@contextmanager
def replacing(path: Path) -> Generator[Path]:
    """A temporary path beside `path`, with its suffix, that takes its place if the block succeeds.

    If the block fails nothing of it stays, nor do folders that were made for it.
    """
    made = [folder for folder in (path.parent, *path.parent.parents) if not folder.exists()]
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.part{path.suffix}")
    try:
        yield temporary
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        for folder in made:
            if any(folder.iterdir()):
                break
            folder.rmdir()
        raise
