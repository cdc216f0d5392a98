"""Use a trained network: model files, the network on a device, views of an image, and export to ONNX."""
