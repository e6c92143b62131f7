"""A trained restorer and what it makes of pictures."""
