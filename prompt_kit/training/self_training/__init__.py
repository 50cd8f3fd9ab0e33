"""Learning from texts without labels, labelled by a model."""
