"""Makes aiortc hand on H.264 and Opus as they came, undecoded.

aiortc has no option for it: the receiver's decoder factory is replaced by one whose "decoder" only wraps the frame. The
names touched are private to aiortc 1.16 (the dependency is pinned to it) and are covered by tests/video/test_whip.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import aioice.ice
import aiortc.rtcrtpreceiver as receiver
import av
from aiortc import RTCRtpReceiver

VIDEO_BASE, AUDIO_BASE = Fraction(1, 90_000), Fraction(1, 48_000)
_decode_really: Any = getattr(receiver, "get_decoder")  # noqa: B009
_own_addresses = aioice.ice.get_host_addresses


class _Wrap:
    def __init__(self, base: Fraction) -> None:
        self._base = base

    def decode(self, frame: Any) -> list[Any]:
        packet = av.Packet(frame.data)
        packet.pts = packet.dts = frame.timestamp
        packet.time_base = self._base
        return [packet]


def _get_decoder(codec: Any) -> Any:
    name = codec.mimeType.lower()
    if name == "video/h264":
        return _Wrap(VIDEO_BASE)
    if name == "audio/opus":
        return _Wrap(AUDIO_BASE)
    return _decode_really(codec)


def host_addresses(*, use_ipv4: bool = True, use_ipv6: bool = True) -> list[str]:
    """This host's addresses, loopback included: a browser on the same machine must reach us too."""
    return [*_own_addresses(use_ipv4=use_ipv4, use_ipv6=use_ipv6), *(["127.0.0.1"] if use_ipv4 else [])]


def install(addresses: Sequence[str] = ()) -> None:
    """Replace the factory, and the addresses offered for ICE: `addresses`, or this host's own if there are none."""

    def offered(*, use_ipv4: bool, use_ipv6: bool) -> list[str]:
        return list(addresses) or host_addresses(use_ipv4=use_ipv4, use_ipv6=use_ipv6)

    setattr(receiver, "get_decoder", _get_decoder)  # noqa: B010
    aioice.ice.get_host_addresses = offered


def without_estimator(of: RTCRtpReceiver) -> None:
    """Send no bandwidth estimates: aiortc's collapse on a busy machine and starve the sender; loss reports stay."""
    setattr(of, "_RTCRtpReceiver__remote_bitrate_estimator", None)  # noqa: B010


async def ask_for_keyframe(of: RTCRtpReceiver) -> None:
    """Send a PLI for the picture's own SSRC: one for the retransmission stream, which comes first, is ignored."""
    retransmissions = getattr(of, "_RTCRtpReceiver__rtx_ssrc", {})
    for ssrc in getattr(of, "_RTCRtpReceiver__remote_streams", {}):
        if ssrc not in retransmissions:
            await of._send_rtcp_pli(ssrc)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
            return
