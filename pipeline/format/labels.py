"""Labels of masks beside those of operations."""

from __future__ import annotations

UNTOUCHED, BORDER = 0, 255
"""Of pixels that no step has changed, and of those between regions."""
