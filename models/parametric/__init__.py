"""Six physical degradations, solved for a requested severity."""

from gends.models.parametric.engine import OPERATIONS, ParametricDegrader, replay

__all__ = ["OPERATIONS", "ParametricDegrader", "replay"]
