"""How tools are called: settings on the command line, and what is wrong is one line."""

import sys
from collections.abc import Callable
from typing import Any

import tyro

from kinepose.io.errors import KineposeError
from kinepose.io.places import check_places


def call(function: Callable[[Any], object], settings: type) -> None:
    """Run a tool with the settings of sys.argv."""
    config = tyro.cli(settings)
    try:
        check_places(config)
        function(config)
    except KineposeError as error:
        sys.exit(f"{function.__name__}: {error}")
