"""tools/train_on_gpu.sh packs its results whenever a training is stopped by the clock."""

import os
import subprocess
import sys

import pytest


@pytest.mark.skipif(sys.platform == "win32", reason="a script for bash")
@pytest.mark.parametrize(("status", "packs"), [(124, True), (130, True), (137, True), (1, False)])
def test_a_training_that_the_clock_stopped_is_packed(root, tmp_path, status, packs):
    """`timeout` ends with 124, or with 137 where the training had to be killed; other errors end the script."""
    clock = tmp_path / "bin" / "timeout"
    clock.parent.mkdir()
    clock.write_text(f"#!/bin/sh\nexit {status}\n")
    clock.chmod(0o755)
    out = tmp_path / "out"
    found = subprocess.run(
        [root / "tools" / "train_on_gpu.sh", "store", "out", "60"],
        cwd=tmp_path,
        env=os.environ | {"PATH": f"{clock.parent}:{os.environ['PATH']}", "SEEDS": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == (0 if packs else status), found.stderr
    assert ("stopped in teacher-0" in found.stdout) == packs
    assert (out / "results" / "results.tar.00").exists() == packs
