"""From torch modules to ONNX models: the one exporter, precisions, a folder of op models."""
