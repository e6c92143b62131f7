"""Pure stages from a catalog of clean photographs to committed shards. No Ray, no click."""
