"""GenDeg, the latent diffusion model that degrades photographs (arXiv 2411.17687)."""
