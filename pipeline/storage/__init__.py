"""Where a dataset lies: a folder or a bucket, written whole or not at all."""
