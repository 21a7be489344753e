"""Search strategies: ask / tell, one file each. The names stand in `__init__.pyi` and are imported when first used."""

import sys

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


class _Search(type(sys.modules[__name__])):
    """`hwnas.search` is this package and, from `import hwnas`, the function: an import of either sets that one name."""

    def __call__(self, *args, **options):
        return self.search(*args, **options)


sys.modules[__name__].__class__ = _Search
