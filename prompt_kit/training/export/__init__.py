"""How a model leaves Paddle: static graph, ONNX, and the check that nothing changed."""
