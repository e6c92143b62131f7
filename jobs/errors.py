"""What a command can end with, beside a user's mistake."""


class BuildError(RuntimeError):
    """The build cannot go on; what is durable stays, and the same command resumes."""
