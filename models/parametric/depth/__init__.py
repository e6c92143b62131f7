"""How far things are in a photograph."""
