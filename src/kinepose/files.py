"""Files appear whole or not at all; and which of them are pictures."""

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})


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
