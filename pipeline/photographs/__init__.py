"""Clean photographs: their bytes, and the catalog of what was found."""
