"""A memory of bounded size for what is dear to make and soon wanted again."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Value = TypeVar("Value")


# Not functools.lru_cache: what is made depends on more than its key, which stands for a picture.
# And cachetools would be one more package that a build needs, for the dozen lines below.
class Cache(Generic[Value]):
    """The `size` values that were asked for last, by key."""

    def __init__(self, size: int) -> None:
        """Begin with nothing remembered."""
        self.size = size
        self._values: dict[Hashable, Value] = {}

    def get(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """The value of `key`: remembered, or made now."""
        value = self._values.pop(key) if key in self._values else make()
        self._values[key] = value  # at the end: the one that was not asked for longest comes first
        if len(self._values) > self.size:
            del self._values[next(iter(self._values))]
        return value
