"""A fresh process that opens files of models: `python -P -m deploy.formats.worker`; see `deploy.formats.requests`."""

from __future__ import annotations

import sys

from deploy.formats.requests import AskModel, TimeFiles
from profilers.worker import main

if __name__ == "__main__":
    sys.exit(main({kind.__name__: kind for kind in (AskModel, TimeFiles)}))
