"""Random fields and masks: clouds, particles, mattes, light."""
