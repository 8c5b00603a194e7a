"""The one error that every room may raise about what its caller handed in."""


class InputError(ValueError):
    """What was handed in can't be used; the message says what is wrong and what to do.

    The command line prints it as one line and exits with status 2. Everything else that
    escapes is a fault of ours and keeps its traceback.
    """
