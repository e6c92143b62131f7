"""What acts on whole planes: tone curves, blurs, resampling, geometry."""
