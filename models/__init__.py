"""The engines that degrade images, and everything that a model of them is made and trained with."""
