"""Variants of training lines that keep their label, in a file that a person can read and edit."""
