"""Where clean photographs come from: folders, lists, tables, tars."""
