"""Choose what may stay: onset frames, duplicates, leaks and splits."""
