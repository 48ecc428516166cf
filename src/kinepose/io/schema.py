"""What settings and JSON may say: types and ranges stand at the fields, and are checked here.

The classes are frozen dataclasses; a range is written into the annotation of its field, as in
`Annotated[float, Interval(ge=0.0, le=1.0)]`. No number is nan or infinite.
"""

import functools
import json
import os
from dataclasses import asdict, fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, get_type_hints

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    TypeAdapter,
    ValidationError,
    create_model,
)

from kinepose.io.errors import BadInputError, SettingError
from kinepose.io.files import regular_file, replacing

STRICT = ConfigDict(strict=True, extra="ignore", allow_inf_nan=False)
"""What an older or newer version wrote beside is passed over."""
_LARGEST = 2**28
"""Of a JSON file [bytes]."""
_WORDS = {
    **{"Input should": "must", "greater than or equal to": "at least", "greater than": "above"},
    "Extra inputs are not permitted": "is no setting that we know",
    **{"less than or equal to": "at most", "less than": "below", "an instance of Path": "a path"},
}
"""Of pydantic's messages: theirs and ours."""
_SHOWN = 60
"""Letters of a value, or of a reason, in a line."""


class Settings:
    """Base of dataclasses whose fields are checked whenever one is made, whoever makes it."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    def __post_init__(self) -> None:
        """Check what the annotations of the fields say.

        Raises:
            SettingError: if a value has another type, or is out of its range.
        """
        try:
            _fields_of(type(self)).model_validate(vars(self))
        except ValidationError as error:
            raise SettingError(_name(error), _reason(error)) from None


def _finite(value: Any) -> Any:
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        raise ValueError("a number in it is not finite") from None
    return value


Plain = Annotated[dict[str, Any], AfterValidator(_finite)]
"""An object of JSON that is kept as it is."""


def ends(least: float, largest: float) -> AfterValidator:
    """Of two numbers: both are in a range, the smaller one first."""

    def check(pair: tuple[float, float]) -> tuple[float, float]:
        if not least <= pair[0] <= pair[1] <= largest:
            raise ValueError(f"must be from {least:g} to {largest:g}, the smaller one first")
        return pair

    return AfterValidator(check)


def read_json(path: Path, kind: Any) -> Any:
    """A JSON file as a dataclass, or whatever else pydantic can check.

    Raises:
        BadInputError: if there is no such file, or it says something else.
    """
    with regular_file(path).open("rb") as file:
        text = file.read(_LARGEST + 1)
    if len(text) > _LARGEST:
        raise BadInputError(f"{path} is too large: more than {_LARGEST >> 20} MiB of JSON")
    return from_json(text, kind, str(path))


def from_json(text: bytes | str, kind: Any, where: str) -> Any:
    """The same of a text that came from `where`.

    Raises:
        BadInputError: if it says something else.
    """
    try:
        return _adapter(kind).validate_json(text, strict=True)
    except ValidationError as error:
        raise BadInputError(f"{where}: {_line(error)}") from None
    except SettingError as error:
        raise BadInputError(f"{where}: {error.setting} {error.reason}") from None


def write_json(path: Path, value: Any) -> None:
    """Write what `as_json` can turn into JSON, whole or not at all.

    Raises:
        BadInputError: if a number in it is nan or infinite.
    """
    try:
        text = json.dumps(as_json(value), indent=1, allow_nan=False)
    except ValueError as error:
        raise BadInputError(f"cannot write {path}: a number in it is not finite") from error
    with replacing(path) as temporary:
        temporary.write_text(text + "\n")


def as_json(value: Any) -> Any:
    """Dataclasses as objects, tuples as lists, and paths as texts, whatever their bytes are."""
    if is_dataclass(value) and not isinstance(value, type):
        return as_json(asdict(value))
    if isinstance(value, dict):
        return {name: as_json(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(part) for part in value]
    if isinstance(value, Path):
        return os.fsencode(value).decode("utf-8", "backslashreplace")
    return value


def differences(held: Any, wanted: Any, name: str = "") -> list[str]:
    """What differs between two values of JSON, one by one: `name held, not wanted`."""
    if isinstance(held, dict) and isinstance(wanted, dict):
        return [
            line
            for key in {**wanted, **held}
            for line in differences(held.get(key), wanted.get(key), f"{name}.{key}".lstrip("."))
        ]
    return [] if held == wanted else [f"{name} {_short(held)}, not {_short(wanted)}"]


@functools.cache
def _fields_of(kind: Any) -> type[BaseModel]:
    """A model of the fields alone: nested settings were checked when they were made."""
    hints = get_type_hints(kind, include_extras=True)
    described: dict[str, Any] = {field.name: (hints[field.name], ...) for field in fields(kind)}
    return create_model(kind.__name__, __config__=STRICT, **described)


@functools.cache
def _adapter(kind: Any) -> TypeAdapter:
    return TypeAdapter(kind, config=None if is_dataclass(kind) else STRICT)


def _line(error: ValidationError) -> str:
    return f"{_name(error)} {_reason(error)}".strip()


def _name(error: ValidationError) -> str:
    return ".".join(map(str, error.errors(include_url=False)[0]["loc"]))


def _reason(error: ValidationError) -> str:
    """In a line: the value, and what it must be."""
    first = error.errors(include_url=False)[0]
    reason = first["msg"].removeprefix("Value error, ")
    for theirs, ours in _WORDS.items():
        reason = reason.replace(theirs, ours)
    if first["type"] == "missing":
        return "is missing"
    if first["type"] == "json_invalid":
        return f"it is not JSON: {first['ctx']['error'].replace(' at line', ', line')}"
    return f"{_short(first['input'])}: {reason}"


def _short(value: Any) -> str:
    """A value in a few letters; of what is long, its beginning."""
    text = "null" if value is None else str(as_json(value))
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
