"""Score a model on a data set: the command `emonet evaluate` from a checkout.

python tools/evaluate.py emonet merged -o report
"""

from emonet.commands import run
from emonet.commands.evaluate import evaluate

if __name__ == "__main__":
    run(evaluate)
