"""What is raised of a dataset that is not as it was written."""

from __future__ import annotations


class DamageError(ValueError):
    """A file of a dataset is lost or damaged; the message names it and the way out."""


class PairError(DamageError, OSError):
    """A pair whose bytes are missing or not those that its manifest recorded."""


class DamagedPairWarning(UserWarning):
    """A pair that was passed over, as asked, because its bytes are damaged."""
