"""What is in a folder: two runs that must give the same are compared by it."""


def files(folder):
    """Path within the folder -> bytes, of all files."""
    return {path.relative_to(folder): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
