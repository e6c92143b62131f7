"""What the `gends-build train` commands do: datasets of pairs wired to `gends.models.training`."""
