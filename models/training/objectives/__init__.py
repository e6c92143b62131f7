"""What is trained: one file for what an optimizer step of each model does."""
