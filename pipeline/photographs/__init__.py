"""Clean photographs: where they come from, and the catalog of what was found."""
