"""What the sensor does: exposure, noise, banding."""
