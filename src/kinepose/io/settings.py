"""Kinds of settings that several commands have; those of each stand in the config.py of its folder.

A default that is not the paper's, or that the paper leaves open, is explained in docs/method.md.
"""

from pathlib import Path
from typing import Annotated, Literal

import tyro
from annotated_types import Interval
from pydantic import Field
from tyro.constructors import PrimitiveConstructorSpec

from kinepose.io.places import Reads

Videos = Annotated[tuple[Annotated[Path, Reads()], ...], tyro.conf.Positional]
Positional = Annotated[Path, tyro.conf.Positional]
Address = Annotated[
    str | Path,
    Field(union_mode="left_to_right"),  # or text of JSON, as s3://bucket/clips, became a path
    PrimitiveConstructorSpec(
        nargs=1,
        metavar="ADDRESS",
        instance_from_str=lambda words: words[0] if "://" in words[0] else Path(words[0]),
        is_instance=lambda instance: isinstance(instance, Path | str),
        str_from_instance=lambda instance: [str(instance)],
    ),
]
"""A folder that is only read: here, or anywhere that fsspec reaches, as s3://bucket/clips."""
SHIPPED = Path("shipped")
"""In place of a run's folder: the model that came with the package."""
Share = Annotated[float, Interval(ge=0.0, le=1.0)]
Weight = Annotated[float, Interval(ge=0.0, le=1e6)]
Seconds = Annotated[float, Interval(ge=0.0, le=1e9)]
Minutes = Annotated[float, Interval(ge=0.0, le=1e9)]
Count = Annotated[int, Interval(ge=0, le=10**9)]
Some = Annotated[int, Interval(ge=1, le=10**9)]
Width = Annotated[int, Interval(ge=1, le=2**14)]
Seed = Annotated[int, Interval(ge=0, le=2**31)]
Workers = Annotated[int, Interval(ge=0, le=1024)]
Threads = Annotated[int, Interval(ge=0, le=1024)]
Device = Literal["auto", "cpu", "cuda"]
Range = tuple[float, float]
