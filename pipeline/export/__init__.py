"""Pairs in the layouts of programs that cannot stream our shards: one file per format."""
