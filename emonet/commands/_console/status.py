"""Exit statuses beside 0, the same in every command."""

NOTHING_READ = 1  # or the call was mistaken
SOME_UNREADABLE = 3
STOPPED = 130  # by Ctrl-C, as shells have it
