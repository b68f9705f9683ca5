"""Drives encoders in onnxruntime: embedders, and cross-encoders that put passages in order."""
