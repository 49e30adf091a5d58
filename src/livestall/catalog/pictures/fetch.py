"""A picture from an address that a stranger wrote down: never from inside our own network.

The host's name is resolved here, every address it has is judged, and the connection goes to one of just these, so a
name that answers differently the second time gains nothing. Each redirect is judged again.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Sequence

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from livestall.base import config
from livestall.catalog.model import Settings
from livestall.catalog.pictures.model import (
    BYTES_MAX,
    BadAddress,
    NoAnswer,
    NotThere,
    PictureTooLarge,
    PrivateAddress,
    TooManyRedirects,
    WrongPort,
)

REDIRECTS_MAX = 3
PORTS = {80, 443}
PASSING = {408, 425, 429}
"""Answers below 500 that may be another one a while later."""

HEADERS = {"Accept": "image/*", "Accept-Encoding": "identity", "User-Agent": "Livestall (pictures of products)"}
NAT64, COMPATIBLE = ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("::/96")
"""IPv6 addresses that hold an IPv4 address in their last 32 bits."""


async def fetch(url: str) -> bytes:
    """What is at `url`, at most 20 MB of it, within the time that the settings give.

    Raises BadAddress, WrongPort, PrivateAddress, TooManyRedirects, NotThere, PictureTooLarge; NoAnswer is worth another
    try.
    """
    at = _parsed(url)
    try:
        async with asyncio.timeout(config.of(Settings).picture_fetch_seconds):
            for _ in range(REDIRECTS_MAX + 1):
                found = await _ask(at)
                if isinstance(found, bytes):
                    return found
                at = found
    except (TimeoutError, OSError, aiohttp.ClientError) as error:
        raise NoAnswer(host=at.host) from error
    raise TooManyRedirects


async def resolve(host: str, port: int) -> list[str]:
    """All IP addresses of `host`, which may itself be one, in any spelling that the system takes."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(one[4][0]) for one in found]


def public(text: str) -> bool:
    """Whether the IP address is one of the public internet, and no disguise of another."""
    address = ipaddress.ip_address(text)
    if isinstance(address, ipaddress.IPv6Address):
        if address.scope_id or address.teredo:
            return False
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and (address in NAT64 or address in COMPATIBLE):
            inner = ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
        address = inner or address
    reserved = address.is_multicast or address.is_reserved or address.is_unspecified or address.is_link_local
    return address.is_global and not reserved


def allowed(host: str, port: int) -> bool:
    """Whether the operator trusts this host, wherever it is."""
    named = {one.strip().lower() for one in config.of(Settings).fetch_allow.split(",")} - {""}
    return bool({host.lower(), f"{host.lower()}:{port}", f"[{host.lower()}]:{port}"} & named)


def _parsed(url: str | URL) -> URL:
    try:
        at = URL(url)
        if at.scheme in {"http", "https"} and at.raw_host and at.port and len(str(at)) <= 8192:
            return at
    except ValueError:
        pass
    raise BadAddress


async def _judged(at: URL) -> list[str]:
    """The addresses that may be connected to for `at`."""
    host, port = at.raw_host or "", at.port or 0
    trusted = allowed(host, port)
    if not trusted and port not in PORTS:
        raise WrongPort(port=port)
    try:
        addresses = await resolve(host, port)
    except UnicodeError as error:  # a name with a label that is too long
        raise BadAddress from error
    if not addresses:
        raise NoAnswer(host=host)
    if not trusted and not all(public(one) for one in addresses):
        raise PrivateAddress(host=host)
    return addresses


class _Pinned(AbstractResolver):
    """Knows the judged addresses only."""

    def __init__(self, addresses: Sequence[str]) -> None:
        self._addresses = addresses

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_INET,  # noqa: ARG002
    ) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname=host, host=one, port=port, family=socket.AF_INET6 if ":" in one else socket.AF_INET, proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for one in self._addresses
        ]  # fmt: skip

    async def close(self) -> None:
        """Nothing is kept."""


async def _ask(at: URL) -> bytes | URL:
    """The contents, or where to ask next."""
    connector = aiohttp.TCPConnector(resolver=_Pinned(await _judged(at)), use_dns_cache=False, force_close=True)
    async with (
        aiohttp.ClientSession(
            connector=connector, auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar()
        ) as session,
        session.get(at, headers=HEADERS, allow_redirects=False) as answer,
    ):
        if answer.status in {301, 302, 303, 307, 308}:
            return _next(at, answer.headers.get("Location", ""))
        if answer.status in PASSING or answer.status >= 500:
            raise NoAnswer(host=at.host)
        if answer.status != 200:
            raise NotThere(host=at.host, status=answer.status)
        return await _read(answer)


def _next(at: URL, location: str) -> URL:
    try:
        return _parsed(at.join(URL(location)))
    except ValueError as error:
        raise BadAddress from error


async def _read(answer: aiohttp.ClientResponse) -> bytes:
    if (answer.content_length or 0) > BYTES_MAX:
        raise PictureTooLarge
    data = bytearray()
    async for chunk in answer.content.iter_chunked(65536):
        data += chunk
        if len(data) > BYTES_MAX:
            raise PictureTooLarge
    return bytes(data)
