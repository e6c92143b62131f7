"""A build on Ray: the driver, its workers, the stages as tasks."""
