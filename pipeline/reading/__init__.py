"""Pairs of a dataset, read by row and checked."""
