"""The files of the models that come with the package, each with its card. `emonet.inference.load_model` opens them."""
