if __name__ == "datasets":
    raise ImportError("this folder is imported as emonet.datasets: the name 'datasets' belongs to Hugging Face")

__doc__ = """From each published data set to crops on disk; the readers and the build come with the data half."""
__all__: list[str] = []
