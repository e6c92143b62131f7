"""Mixtures on the fly: the pairs of a build inside somebody's own training loop."""
