"""Print what belongs into tests/slow.txt, from the log of a test run with `--durations=0`.

    OMP_NUM_THREADS=1 .venv/bin/pytest -m "not soak" --durations=0 >log
    .venv/bin/python tests/find_slow.py log >tests/slow.txt

A test is slow if all its cases together take more than LIMIT seconds. A file is slow as a whole if what its tests share
takes so long to set up. Measure on a quiet machine.
"""

import re
import sys
from collections import Counter
from pathlib import Path

LIMIT = 5.0  # seconds
LINE = re.compile(r"^([\d.]+)s (setup|call)\s+(\S+?)(?:\[|$)", re.MULTILINE)


def find_slow(log):
    """Return the names of slow files and of slow tests in other files, sorted."""
    calls, setups = Counter(), Counter()
    for seconds, phase, name in LINE.findall(log):
        if phase == "call":
            calls[name] += float(seconds)
        else:
            setups[name.partition("::")[0]] += float(seconds)
    files = {file for file, seconds in setups.items() if seconds > LIMIT}
    tests = {name for name, seconds in calls.items() if seconds > LIMIT and name.partition("::")[0] not in files}
    return sorted(files | tests)


if __name__ == "__main__":
    sys.stdout.write("".join(f"{name}\n" for name in find_slow(Path(sys.argv[1]).read_text(encoding="utf-8"))))
