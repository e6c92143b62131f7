"""A dataset over time: founded, committed, leased, verified, repaired."""
