"""One unit of work, from photographs to rows: load, degrade, judge, pack."""
