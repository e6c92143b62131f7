"""Trains the parts of a GenDeg model: one loop that resumes exactly, and a loss for each part."""
