"""Settings out of range are named in one line, before anything is done by them."""

import math
from collections.abc import Mapping

from kinepose.errors import BadInputError

Ranges = Mapping[str, tuple[float, float]]
"""Least and largest value of each setting."""


def check_ranges(settings: object, ranges: Ranges, option: str = "--") -> None:
    """That each setting, or both ends of it in their order, is in its range, if it is set at all.

    Raises:
        BadInputError: if one is not.
    """
    for name, (least, largest) in ranges.items():
        value = getattr(settings, name)
        values = value if isinstance(value, tuple) else () if value is None else (value,)
        if not all(least <= each <= largest for each in values) or list(values) != sorted(values):
            bounds = f"at least {least:g}"
            if largest < math.inf:
                bounds += f", at most {largest:g}"
            if len(values) > 1:
                bounds += ", the smaller one first"
            name = name.replace("_", "-")
            raise BadInputError(f"{option}{name} {value}: it must be {bounds}.")
