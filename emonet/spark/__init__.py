"""Apache Spark as a place where work is done: what it needs (`needs.py`), a session, and tasks that run on it.

Nothing here knows of faces. PySpark is imported when a session is opened.
"""

from emonet.spark.session import open_session
from emonet.spark.tasks import Executors

__all__ = ["Executors", "open_session"]
