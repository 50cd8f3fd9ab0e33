"""How it is trained: trainer, arguments, checkpoints, and the steps of train.py."""
