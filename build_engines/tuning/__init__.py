"""Graphs for ONNX Runtime rewritten to compute the same in less time on one processor."""
