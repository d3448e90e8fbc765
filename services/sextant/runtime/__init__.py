"""What every family runs on: ONNX sessions, the step scheduler, reproducible randomness."""
