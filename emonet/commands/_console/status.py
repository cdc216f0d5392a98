"""Exit statuses beside 0, the same in every command."""

FAILED = 1  # the call was mistaken, or nothing could be read
SOME_UNREADABLE = 3
STOPPED = 130  # by Ctrl-C, as shells have it
