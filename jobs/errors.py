"""What a command can end with, beside a user's mistake."""


class BuildError(RuntimeError):
    """The build cannot go on; what is durable stays, and the same command resumes."""


class DrainedError(BuildError):
    """The build was asked to stop and has finished what it had begun."""
