"""`python -m emonet` is the `emonet` command."""

from emonet.commands import main

if __name__ == "__main__":
    main()
