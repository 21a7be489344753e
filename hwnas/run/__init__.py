"""The main job, stage by stage, in a run folder.

The names stand in `__init__.pyi` and are imported when first used: what only reads or checks settings needs no torch.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
