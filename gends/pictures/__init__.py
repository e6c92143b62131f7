"""Encoded pictures: the formats that are opened, and the memory that decoding takes."""
