"""Explain an answer: Grad-CAM maps and feature maps of a network."""
