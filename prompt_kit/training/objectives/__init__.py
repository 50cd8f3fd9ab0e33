"""What a model is told: terms of the training loss, one a file; choice.py says which a run has."""
