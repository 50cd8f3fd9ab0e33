"""What computes an exported graph: ONNX Runtime, or OpenVINO. One module an engine, one that chooses."""
