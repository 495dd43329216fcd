"""OAUTHBEARER tokens for both Kafka clients: from a token endpoint, or from a file.

Before: the settings say where. After: confluent-kafka asks on a thread of its own, aiokafka on
the event loop. A client keeps its token until shortly before it expires.
"""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiokafka.abc import AbstractTokenProvider

from hedgerow.app.access_settings import OauthSettings

ANSWER_SECONDS = 10.0
ASSUMED_SECONDS = 60.0  # of a token that does not say how long it is good
RENEWED_AT = 0.8  # of its life, as Kafka's own clients do
MAX_ANSWER = 1_000_000


class TokenError(Exception):
    """No token can be had; the sentence says why, and never holds a secret."""


@dataclass(frozen=True, slots=True)
class Token:
    """One token.

    Attributes
    ----------
    text : str
        What the broker is shown.
    expires_at : float
        Until when, in seconds since 1970.
    """

    text: str = field(repr=False)
    expires_at: float


class TokenSource:
    """Keeps a token until it is due to be renewed; may be asked from any thread.

    Parameters
    ----------
    fetch : Callable[[], Token]
        Gets a new one.
    """

    def __init__(
        self, fetch: Callable[[], Token], *, clock: Callable[[], float] = time.time
    ) -> None:
        self._fetch = fetch
        self._clock = clock
        self._lock = threading.Lock()
        self._token: Token | None = None
        self._due = 0.0

    def get(self) -> Token:
        """Return a token that is good.

        Raises
        ------
        TokenError
            If none can be had.
        """
        with self._lock:
            now = self._clock()
            if self._token is None or now >= self._due:
                self._token = self._fetch()
                self._due = now + RENEWED_AT * (self._token.expires_at - now)
            return self._token


def token_source(oauth: OauthSettings) -> TokenSource:
    """Return where these settings get their tokens from."""
    if oauth.token_file is not None:
        path = oauth.token_file
        return TokenSource(lambda: _from_file(path))
    return TokenSource(lambda: _from_endpoint(oauth))


def confluent_tokens(source: TokenSource) -> Callable[[str], tuple[str, float]]:
    """Return a source in the shape of confluent-kafka's ``oauth_cb``: text and expiry."""

    def ask(_config: str) -> tuple[str, float]:
        token = source.get()
        return token.text, token.expires_at

    return ask


class AiokafkaTokens(AbstractTokenProvider):  # type: ignore[misc]  # aiokafka ships no types
    """Tokens in the shape of aiokafka's provider."""

    def __init__(self, source: TokenSource) -> None:
        self._source = source

    async def token(self) -> str:
        """Return a token; the event loop goes on meanwhile."""
        return (await asyncio.to_thread(self._source.get)).text


def _from_file(path: Path) -> Token:
    try:
        text = path.read_text("ascii").strip()
    except OSError as error:
        raise TokenError(f"token_file {path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise TokenError(f"token_file {path} holds no token") from None
    if not text:
        raise TokenError(f"token_file {path} is empty")
    now = time.time()
    expires_at = _stated_expiry(text)
    if expires_at is not None and expires_at <= now:
        raise TokenError(f"the token in token_file {path} has expired; who renews it?")
    # Whoever renews the file may do so at any time before: look again soon.
    return Token(text, min(expires_at or now + ASSUMED_SECONDS, now + ASSUMED_SECONDS))


def _from_endpoint(oauth: OauthSettings) -> Token:
    """Ask for a token by client credentials (RFC 6749, section 4.4)."""
    url, secret = oauth.token_url, oauth.client_secret
    if url is None or oauth.client_id is None or secret is None:
        raise TokenError("set kafka.sasl.oauth.token_url, client_id and client_secret")
    form = {"grant_type": "client_credentials"}
    if oauth.scope is not None:
        form["scope"] = oauth.scope
    pair = ":".join(urllib.parse.quote(s, "") for s in (oauth.client_id, secret.get_secret_value()))
    request = urllib.request.Request(  # noqa: S310  # the settings admit https and loopback only
        url,
        urllib.parse.urlencode(form).encode(),
        {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()},
    )
    asked_at = time.time()
    try:
        answer = json.loads(_answer(request, oauth.ca_file))
        text = answer["access_token"]
        lasts = float(answer.get("expires_in", ASSUMED_SECONDS))
    except urllib.error.HTTPError as error:
        with error:
            raise TokenError(f"{url} refuses a token: {error.code} {_reason(error)}") from None
    except (OSError, urllib.error.URLError) as error:
        why = getattr(error, "reason", error)
        raise TokenError(f"{url} gives no token: {why}") from None
    except (ValueError, TypeError, KeyError, AttributeError):
        raise TokenError(f"{url} answers with something else than a token") from None
    if not isinstance(text, str) or not text or lasts <= 0:
        raise TokenError(f"{url} answers with something else than a token")
    return Token(text, asked_at + lasts)


def _answer(request: urllib.request.Request, ca_file: Path | None) -> bytes:
    context = ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))
    # No redirects and no proxies from the environment: the client's secret goes to this address.
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), _NoRedirect, urllib.request.HTTPSHandler(context=context)
    )
    with opener.open(request, timeout=ANSWER_SECONDS) as answer:
        body: bytes = answer.read(MAX_ANSWER)
    return body


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Makes an error of a redirect."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        """Follow none."""


def _reason(error: urllib.error.HTTPError) -> str:
    """Return the error's name as RFC 6749 has it, and nothing else of the answer."""
    try:
        name = json.loads(error.read(MAX_ANSWER))["error"]
    except (ValueError, TypeError, KeyError, OSError):
        return str(error.reason)
    return str(name)[:100]


def _stated_expiry(text: str) -> float | None:
    """Read when a JWT expires; nothing of it is verified here, that is the broker's part."""
    try:
        part = text.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        return float(claims["exp"])
    except (ValueError, TypeError, KeyError, IndexError):
        return None
