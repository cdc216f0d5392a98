"""Train a network on a data set: the command `emonet train` from a checkout.

python tools/train.py merged -o runs/emonet
torchrun --nproc-per-node 2 tools/train.py merged -o runs/emonet
"""

from emonet.commands import run
from emonet.commands.train import train

if __name__ == "__main__":
    run(train)
