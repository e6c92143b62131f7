"""Ray clusters: joined or started, their CPUs, signals, and what their errors mean."""
