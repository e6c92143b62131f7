"""What a dataset is on disk: identity, manifests, shards, pictures."""
