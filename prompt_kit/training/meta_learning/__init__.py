"""Learning to learn: many small tasks drawn from labelled folders, so that a task of unseen labels takes few examples."""
