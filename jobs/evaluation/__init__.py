"""What `gends-build evaluate` does."""
