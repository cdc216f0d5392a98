"""Name the expressions in a folder of photos: the command `emonet predict` from a checkout.

python tools/predict_folder.py PHOTOS [-o OUT]
"""

from emonet.commands import run
from emonet.commands.predict import predict

if __name__ == "__main__":
    run(predict)
