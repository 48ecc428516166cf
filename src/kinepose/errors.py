"""The one error that users see."""


class BadInputError(Exception):
    """Something the user gave cannot be used; the message is one line that says what and why.

    The command line prints it and exits with status 2. Anything else that is raised is a bug.
    """
