"""What is to be made: the configuration, and every random choice of a build."""
