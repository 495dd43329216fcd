"""Compiled kernels that were baked into an image, for a worker whose file system is read-only.

numba believes only in a cache it can write to, and the image's belongs to root and stays as it
was built. So a process works on a copy of its own in its temporary folder. The image names this
class in ``NUMBA_CACHE_LOCATOR_CLASSES`` after the kernels have been compiled.
"""

from __future__ import annotations

import functools
import os
import shutil
import tempfile
from typing import Any

from numba.core import config
from numba.core.caching import UserProvidedCacheLocator


class BakedCache(UserProvidedCacheLocator):  # type: ignore[misc]  # numba ships no types
    """Finds a function's kernels in ``NUMBA_CACHE_DIR``, and never writes there."""

    def __init__(self, py_func: Any, py_file: str) -> None:
        super().__init__(py_func, py_file)
        baked: str = self.get_cache_path()
        own = os.path.join(_scratch().name, os.path.relpath(baked, config.CACHE_DIR))
        if os.path.isdir(baked) and not os.path.isdir(own):
            shutil.copytree(baked, own, copy_function=shutil.copyfile)
        self._cache_path = own


@functools.cache
def _scratch() -> tempfile.TemporaryDirectory[str]:
    """Return this process's folder, readable by nobody else and gone when it ends."""
    return tempfile.TemporaryDirectory(prefix="hedgerow-kernels-", ignore_cleanup_errors=True)
