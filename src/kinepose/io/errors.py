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


class VideoWarning(UserWarning):
    """Something that the user should know of a video or a set of images, in one line."""


class BrokenVideoWarning(VideoWarning):
    """A part of a video could not be decoded; what could be decoded is used."""
