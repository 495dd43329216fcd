"""The browser, for every test of this folder."""

from __future__ import annotations

from console.chromium import page

__all__ = ["page"]
