"""How it is asked: templates, label words, and the tokens that they make of a text."""
