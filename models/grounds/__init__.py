"""Grounds: synthetic pictures on which a degradation shows what it does."""
