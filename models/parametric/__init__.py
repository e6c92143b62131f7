"""Degradations by physical formulas, solved for a requested severity or at a given strength."""

from gends.models.parametric.catalog import OPERATIONS
from gends.models.parametric.engine import ParametricDegrader, replay

__all__ = ["OPERATIONS", "ParametricDegrader", "replay"]
