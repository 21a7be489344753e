"""Hardware-aware neural architecture search with measured latency tables.

The names stand in `__init__.pyi`; each is imported when it is first used, so that no torch comes with a table.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
