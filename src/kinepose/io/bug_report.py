"""What a user can send us of an error that we did not foresee."""

import os
import platform
import tempfile
from contextlib import suppress
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from traceback import format_exc

from platformdirs import user_log_path


def write_bug_report(words: list[str]) -> Path:
    """Write the traceback of the error that is being handled, and the command line, to a file.

    It lies in the system's place for logs, or with what is temporary if nothing can be written
    there; nothing is sent anywhere.
    """
    about = f"kinepose {version('kinepose')}, Python {platform.python_version()}"
    text = f"{about}, {platform.platform()}\n{words}\n\n{format_exc()}"
    name = f"kinepose_{datetime.now():%Y-%m-%d_%H%M%S}_{os.getpid()}.txt"
    path = Path(tempfile.gettempdir()) / name
    with suppress(OSError):
        path = user_log_path("kinepose", appauthor=False, ensure_exists=True) / name
        path.touch()
    path.write_text(text, encoding="utf-8", errors="backslashreplace")
    return path
