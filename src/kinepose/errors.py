"""The errors and warnings that users see: one line each, no traceback."""


class KineposeError(Exception):
    """The message is one line that says what is wrong and why; the program ends with status 2."""


class BadInputError(KineposeError):
    """Something that the user gave cannot be used."""


class SettingError(BadInputError):
    """A setting has another type, or is out of its range."""

    def __init__(self, setting: str, reason: str) -> None:
        super().__init__(f"--{setting.replace('_', '-')} {reason}")
        self.setting, self.reason = setting, reason


class TrainingError(KineposeError):
    """A run cannot go on: a loss is not finite, or all poses have become one."""


class FilmWarning(UserWarning):
    """Something that the user should know of a film or a set of pictures, in one line."""


class BrokenFilmWarning(FilmWarning):
    """A part of a film could not be decoded; what could be decoded is used."""
