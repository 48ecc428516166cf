"""The trainings behind the rows of the tables, one after the other (Sec. 4a, Table 4)."""

from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class Stage:
    """A training on the way to a row; the last one has the row's name."""

    settings: dict[str, Any]
    """What training has other than the preset."""
    clips: Literal["all", "own", "other"] = "all"
    """Those of the benchmark and of --more, of the benchmark alone, of --more alone."""
    after: str | None = None
    """The stage whose model it goes on from."""
    share: float = 1.0
    """Of the iterations of a row."""
    model: dict[str, Any] = field(default_factory=dict)
    """What the model has other than the preset's, of a first stage; later ones go on with it."""


BASE, FINE = 2 / 3, 1 / 3
"""Shares of a base model and of what goes on from it."""
_D_P: dict[str, Any] = {"unpaired": False}


def _fine_tuned(after: str) -> Stage:
    """On the benchmark's own clips by L_prior and L_P alone."""
    return Stage(_D_P, "own", after, FINE)


STAGES = {
    "prior": Stage({"variant": "prior"}),
    "base_no_t_fk": Stage(_D_P, share=BASE, model={"kinematics": "network"}),
    "no_t_fk": _fine_tuned("base_no_t_fk"),
    "base_no_t_m": Stage(_D_P, share=BASE, model={"maps": "network", "painting": "lattice"}),
    "no_t_m": _fine_tuned("base_no_t_m"),
    "base_d_p": Stage(_D_P, share=BASE),
    "d_p": _fine_tuned("base_d_p"),
    "base": Stage({}, share=BASE),
    "unsup": _fine_tuned("base"),
    "weakly": Stage(_D_P | {"variant": "weakly"}, "own", "unsup", FINE),
    "semi": Stage(_D_P | {"variant": "semi"}, "own", "unsup", FINE),
    "unseen": Stage({}, "other"),
    "full": Stage({"variant": "full"}, "own"),
}
"""All rows of Table 4 go the same way over the same clips; `weakly` and `semi` begin where `unsup`
has come to, as Sec. 4a tells, and so have a third more iterations than other rows. Painting by
parts needs T_m: without it a preset that has it paints on the paper's lattice."""
