"""The embedded media server: RTMP and WHIP in, LL-HLS and WHEP out, recording. Pure Python, one process.

rtmp.py ── chunks.py, amf.py, flv.py ──┐
                                       ├─> engine.py ─> packager.py ─> playlist.py ─> http.py
rtc.py ─── passthrough.py, aac.py ─────┘                   └─> recorder.py
hooks.py asks and tells the market; poster.py paints previews in a child process.
"""
