"""Exports of annotation tools and plain tables -> the folder that train.py reads. `prompt-kit import` is the command."""
