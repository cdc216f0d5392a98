"""Published data sets become crops on disk: a reader for each, the build that merges them, and the store."""

if __name__ == "datasets":
    raise ImportError("this folder is imported as emonet.datasets: the name 'datasets' belongs to Hugging Face")

from emonet.datasets.affectnet import AffectNet
from emonet.datasets.ckplus import CkPlus
from emonet.datasets.expw import ExpW
from emonet.datasets.fer2013 import Fer2013
from emonet.datasets.fer2013plus import Fer2013Plus
from emonet.datasets.folder import Folder
from emonet.datasets.jaffe import Jaffe
from emonet.datasets.kdef import Kdef
from emonet.datasets.oulucasia import OuluCasia
from emonet.datasets.rafd import Rafd
from emonet.datasets.rafdb import RafDb
from emonet.datasets.reader import Reader
from emonet.datasets.sample import Sample
from emonet.datasets.sfew import Sfew
from emonet.datasets.store import open_store
from emonet.errors import DatasetError

__all__ = [
    "READERS",
    "AffectNet",
    "CkPlus",
    "DatasetError",
    "ExpW",
    "Fer2013",
    "Fer2013Plus",
    "Folder",
    "Jaffe",
    "Kdef",
    "OuluCasia",
    "RafDb",
    "Rafd",
    "Reader",
    "Sample",
    "Sfew",
    "find_terms",
    "open_store",
]

READERS: dict[str, type[Reader]] = {
    "fer2013": Fer2013,
    "ckplus": CkPlus,
    "jaffe": Jaffe,
    "fer2013plus": Fer2013Plus,
    "rafdb": RafDb,
    "affectnet": AffectNet,
    "kdef": Kdef,
    "rafd": Rafd,
    "oulucasia": OuluCasia,
    "sfew": Sfew,
    "expw": ExpW,
    "folder": Folder,
}


def find_terms(source: str) -> str:
    """Say on what terms you may use weights that learned from a data set.

    Weights are no freer than the images that they learned from.

    Args:
        source: The name of a data set; for one that is not in READERS the answer is general.

    Examples:
        >>> from emonet.datasets import find_terms
        >>> find_terms("jaffe")
        'JAFFE is given out for research only, not for business; its images may not be passed on.'
    """
    return READERS[source].terms if source in READERS else Reader.terms
