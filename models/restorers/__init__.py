"""Restorers: a degraded picture in, a clean one out. One file for each architecture."""
