"""What is read: lines of files, and the examples and texts in them."""
