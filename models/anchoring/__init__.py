"""What a model painted, on the photograph's own structure."""
