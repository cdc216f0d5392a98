"""Names the expressions in a folder of photos: tables, an album to look at, and a score where photos are labelled.

python tools/predict_folder.py PHOTOS [-o OUT]
"""

from emonet.commands import run
from emonet.commands.predict import predict

if __name__ == "__main__":
    run(predict)
