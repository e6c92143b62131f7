"""What lies between the scene and the lens: weather, water, dust, shadows, reflections."""
