"""What happens to the finished picture: screens, resizing, quantization, compression."""
