"""Playlists: LL-HLS while a stream is live, byte ranges into the recording afterwards (RFC 8216bis)."""

from __future__ import annotations

import math
import time

from livestall.video.embedded.packager import Packager
from livestall.video.embedded.recorder import MEDIA_FILE, Hole, Index, Init
from livestall.video.embedded.segments import Segment

SEGMENTS_WITH_PARTS = 3
DRIFT_SECONDS = 0.02


def stamp(at: float) -> str:
    """EXT-X-PROGRAM-DATE-TIME of Unix seconds."""
    milliseconds = round(at * 1000)
    seconds, rest = divmod(milliseconds, 1000)
    return f"#EXT-X-PROGRAM-DATE-TIME:{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{rest:03d}Z"


def live(packager: Packager, tag: str) -> str:
    """The live playlist. File names carry `tag`, so that no two processes ever mean different bytes by one name."""
    whole = list(packager.segments)
    listed: list[Segment] = whole + ([packager.current] if packager.current is not None else [])
    with_parts = listed[-SEGMENTS_WITH_PARTS:]
    longest = max((part.duration for one in with_parts for part in one.parts), default=0.0)
    part_target = max(packager.latency.part, math.ceil(longest * 1000) / 1000)
    target = max(packager.target, math.ceil(packager.latency.segment))
    lines = [
        "#EXTM3U",
        "#EXT-X-VERSION:9",
        f"#EXT-X-TARGETDURATION:{target}",
        f"#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK={part_target * 3:.3f}",
        f"#EXT-X-PART-INF:PART-TARGET={part_target:.3f}",
        f"#EXT-X-MEDIA-SEQUENCE:{listed[0].number if listed else packager.next_number}",
        f"#EXT-X-DISCONTINUITY-SEQUENCE:{packager.dropped_discontinuities}",
    ]
    if all(one.parts[0].independent for one in listed if one.parts):
        lines.append("#EXT-X-INDEPENDENT-SEGMENTS")
    lines += _start(listed)
    init = -1
    for one in listed:
        if one.discontinuity:
            lines.append("#EXT-X-DISCONTINUITY")
        if one.init != init:
            init = one.init
            lines.append(f'#EXT-X-MAP:URI="{tag}-init{init}.mp4"')
        lines.append(stamp(one.started_at))
        if one in with_parts:
            for number, part in enumerate(one.parts):
                independent = ",INDEPENDENT=YES" if part.independent else ""
                uri = f"{tag}-{one.number}-{number}.m4s"
                lines.append(f'#EXT-X-PART:DURATION={part.duration:.5f},URI="{uri}"{independent}')
        if one.done:
            lines += [f"#EXTINF:{one.duration:.5f},", f"{tag}-{one.number}.m4s"]
    if packager.ended:
        lines.append("#EXT-X-ENDLIST")
    else:
        following = len(packager.current.parts) if packager.current is not None else 0
        lines.append(f'#EXT-X-PRELOAD-HINT:TYPE=PART,URI="{tag}-{packager.next_number}-{following}.m4s"')
    return "\n".join([*lines, ""])


def _start(listed: list[Segment]) -> list[str]:
    """Who joins while the newest segment has no keyframe begins at the last one: nearer to the edge there is nothing
    that a player could show."""
    away = 0.0
    for one in reversed(listed):
        away += one.duration
        if any(part.independent for part in one.parts):
            break
    else:
        return []
    return [] if one is listed[-1] else [f"#EXT-X-START:TIME-OFFSET=-{away:.3f}"]


def replay(index: Index) -> str:
    """The finished recording. Stream time is written where it cannot be counted from the segment before."""
    target = math.ceil(max((one.duration for one in index.segments), default=1.0) - 0.01)
    lines = [
        "#EXTM3U",
        "#EXT-X-VERSION:7",
        f"#EXT-X-TARGETDURATION:{max(1, target)}",
        "#EXT-X-PLAYLIST-TYPE:VOD",
        "#EXT-X-MEDIA-SEQUENCE:0",
    ]
    expected, init, listed = -1.0, Init(0, 0), Init(0, 0)
    for number, entry in enumerate(index.entries):
        if isinstance(entry, Hole):
            seconds = entry.ended_at - entry.started_at
            start = f'START-DATE="{stamp(entry.started_at).partition(":")[2]}"'
            what = f'X-LIVESTALL-REASON="{entry.reason}"'
            lines.append(
                f'#EXT-X-DATERANGE:ID="gap-{number}",CLASS="livestall.gap",{start},DURATION={seconds:.3f},{what}'
            )
            continue
        if isinstance(entry, Init):
            init = entry
            continue
        if entry.discontinuity:
            lines.append("#EXT-X-DISCONTINUITY")
        if init != listed:
            listed = init
            lines.append(f'#EXT-X-MAP:URI="{MEDIA_FILE}",BYTERANGE="{init.size}@{init.at}"')
        if entry.discontinuity or abs(entry.started_at - expected) > DRIFT_SECONDS:
            lines.append(stamp(entry.started_at))
            expected = entry.started_at
        expected += entry.duration
        lines += [f"#EXTINF:{entry.duration:.5f},", f"#EXT-X-BYTERANGE:{entry.size}@{entry.at}", MEDIA_FILE]
    return "\n".join([*lines, "#EXT-X-ENDLIST", ""])
