"""The real photographs that tests use."""

NAMES = ("astronaut", "chelsea", "coffee", "rocket")
"""Of functions of `skimage.data`."""
