from .feedback import Outcome as Outcome
from .folder import Display as Display
from .folder import RunFolder as RunFolder
from .run import Run as Run
from .settings import Settings as Settings
