"""The secrets that tests plant: each is found again wherever it comes out."""

from __future__ import annotations

MARK = "xyzzy"
PASSWORD = f"{MARK}-kafka-password-1"
CLIENT_SECRET = f"{MARK}-client-secret-2"
REDIS_PASSWORD = f"{MARK}-redis-password-3"
KEY_PASSWORD = f"{MARK}-key-password-4"
PLUGIN_KEY = f"{MARK}-plugin-key-5"
HTTP_TOKEN = f"{MARK}-http-token-6-long-enough"


def leaks(text: str) -> list[str]:
    """Return the lines that hold a piece of a planted secret."""
    return [line for line in text.splitlines() if MARK in line]
