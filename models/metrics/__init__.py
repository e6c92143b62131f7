"""How good a restored picture is: the metrics that restoration papers report."""
