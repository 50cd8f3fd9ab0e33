"""How it is answered: an exported folder, run without Paddle."""
