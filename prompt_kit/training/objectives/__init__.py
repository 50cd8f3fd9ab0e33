"""What a model is told: losses, one a file."""
