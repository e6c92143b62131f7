"""The command line and the Ray jobs: the only place that knows click and Ray."""
