"""A dark card, 640 by 360 in H.264: what a show with sound and no picture shows."""

from __future__ import annotations

import base64
import struct
import zlib

from livestall.video.embedded import fmp4, h264

_SPS = base64.b64decode("Z0LAHtiQKAv+XARAAAADAEAAAAMAg8WLiYA=")
_PPS = base64.b64decode("aMiIPLI=")
_SLICE = zlib.decompress(base64.b85decode("c-l+tXko2!(_r9xf1H7lA>#qFI&mPj^!g|oMS}`8004?(c`X"))
CARD = fmp4.video_track(h264.avc_config(_SPS, _PPS))
CARD_FRAME = struct.pack(">I", len(_SLICE)) + _SLICE
