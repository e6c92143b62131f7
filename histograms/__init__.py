"""How severe real degradations are: measure it, fit it, store it, draw from it."""

from gends.histograms.bins import Bins
from gends.histograms.profile import Profile, load_profile
from gends.histograms.sampler import Draw
from gends.histograms.severity import Severity, measure

__all__ = ["Bins", "Draw", "Profile", "Severity", "load_profile", "measure"]
