"""Trains a restorer on Ray Train."""
