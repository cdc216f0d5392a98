"""Print what belongs into tests/slow.txt, from the log of a test run with `--durations=0`.

    OMP_NUM_THREADS=1 .venv/bin/pytest -m "not soak" --durations=0 >log
    .venv/bin/python tests/find_slow.py log >tests/slow.txt

A test is slow if all its cases together take more than LIMIT seconds. A file is slow as a whole if what its tests share
takes SHARED_LIMIT seconds to set up. Measure on a quiet machine; where that cannot be had, say how many times slower
the machine was than a quiet one: `tests/find_slow.py log 2`.
"""

import re
import sys
from collections import Counter
from pathlib import Path

LIMIT = 5.0  # seconds
SHARED_LIMIT = 15.0
LINE = re.compile(r"^([\d.]+)s (setup|call)\s+(\S+?)(?:\[|$)", re.MULTILINE)


def find_slow(log, slowness=1.0):
    """Return the names of slow files and of slow tests in other files, sorted."""
    calls, setups = Counter(), Counter()
    for seconds, phase, name in LINE.findall(log):
        if phase == "call":
            calls[name] += float(seconds)
        else:
            setups[name.partition("::")[0]] += float(seconds)
    files = {file for file, seconds in setups.items() if seconds > SHARED_LIMIT * slowness}
    tests = {
        name for name, seconds in calls.items() if seconds > LIMIT * slowness and name.partition("::")[0] not in files
    }
    return sorted(files | tests)


if __name__ == "__main__":
    log, *slowness = sys.argv[1:]
    found = find_slow(Path(log).read_text(encoding="utf-8"), *map(float, slowness))
    sys.stdout.write("".join(f"{name}\n" for name in found))
