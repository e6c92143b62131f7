"""A degradation and its severity as what the network is conditioned on."""
