"""Fragmented MP4 for one H.264 track and one AAC track (ISO 14496-12), written and, for recovery, read."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from livestall.video.embedded.h264 import BadVideo, picture_size, sps_of

VIDEO, AUDIO = 1, 2
VIDEO_RATE = 90_000
SYNC, NOT_SYNC = 0x02000000, 0x01010000
MATRIX = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
SAMPLE_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)


class Track(NamedTuple):
    """`id` is VIDEO or AUDIO; `rate` is units per second; `config` the avcC record or the AudioSpecificConfig."""

    id: int
    rate: int
    config: bytes
    codec: str
    width: int = 0
    height: int = 0
    channels: int = 0


class Sample(NamedTuple):
    """`duration` and `shift` (presentation minus decoding time) in units of the track's rate."""

    duration: int
    data: bytes
    key: bool = True
    shift: int = 0


class Run(NamedTuple):
    """Samples of one track, the first at decoding time `start`."""

    track: int
    start: int
    samples: Sequence[Sample]


def video_track(config: bytes) -> Track:
    """Raises BadVideo."""
    width, height = picture_size(sps_of(config))
    codec = f"avc1.{config[1]:02x}{config[2]:02x}{config[3]:02x}"
    return Track(VIDEO, VIDEO_RATE, config, codec, width=width, height=height)


def audio_track(config: bytes) -> Track:
    """From an AudioSpecificConfig. Raises BadVideo."""
    if len(config) < 2:
        raise BadVideo("the AAC configuration is cut short")
    kind, index, channels = config[0] >> 3, (config[0] & 7) << 1 | config[1] >> 7, config[1] >> 3 & 15
    if index >= len(SAMPLE_RATES) or not 1 <= channels <= 8 or not 1 <= kind <= 30:
        raise BadVideo("the AAC configuration is not one we know")
    return Track(AUDIO, SAMPLE_RATES[index], config[:64], f"mp4a.40.{kind}", channels=channels)


def box(name: bytes, *parts: bytes) -> bytes:
    return struct.pack(">I4s", 8 + sum(map(len, parts)), name) + b"".join(parts)


def full(name: bytes, version: int, flags: int, *parts: bytes) -> bytes:
    return box(name, struct.pack(">I", version << 24 | flags), *parts)


def _descriptor(tag: int, body: bytes) -> bytes:
    return bytes([tag, 0x80, 0x80, 0x80, len(body)]) + body


def _sample_entry(track: Track) -> bytes:
    head = b"\0" * 6 + struct.pack(">H", 1)
    if track.id == VIDEO:
        size = struct.pack(">HHIIIH", track.width, track.height, 0x480000, 0x480000, 0, 1)
        tail = struct.pack(">Hh", 24, -1)
        return box(b"avc1", head, b"\0" * 16, size, b"\0" * 32, tail, box(b"avcC", track.config))
    decoder = struct.pack(">BB3sII", 0x40, 0x15, b"\0\0\0", 0, 0) + _descriptor(5, track.config)
    stream = _descriptor(3, struct.pack(">HB", track.id, 0) + _descriptor(4, decoder) + _descriptor(6, b"\2"))
    sound = struct.pack(">HHHHI", track.channels, 16, 0, 0, (track.rate << 16) & 0xFFFFFFFF)
    return box(b"mp4a", head, b"\0" * 8, sound, full(b"esds", 0, 0, stream))


def _trak(track: Track) -> bytes:
    video = track.id == VIDEO
    header = struct.pack(">IIIII8xHHHH", 0, 0, track.id, 0, 0, 0, 0 if video else 1, 0 if video else 0x100, 0)
    size = struct.pack(">II", track.width << 16, track.height << 16)
    table = box(
        b"stbl",
        full(b"stsd", 0, 0, struct.pack(">I", 1), _sample_entry(track)),
        full(b"stts", 0, 0, b"\0" * 4),
        full(b"stsc", 0, 0, b"\0" * 4),
        full(b"stsz", 0, 0, b"\0" * 8),
        full(b"stco", 0, 0, b"\0" * 4),
    )
    references = box(b"dinf", full(b"dref", 0, 0, struct.pack(">I", 1), full(b"url ", 0, 1)))
    kind = full(b"vmhd", 0, 1, b"\0" * 8) if video else full(b"smhd", 0, 0, b"\0" * 4)
    media = box(
        b"mdia",
        full(b"mdhd", 0, 0, struct.pack(">IIIIHH", 0, 0, track.rate, 0, 0x55C4, 0)),
        full(b"hdlr", 0, 0, struct.pack(">I4s12x", 0, b"vide" if video else b"soun"), b"h\0"),
        box(b"minf", kind, references, table),
    )
    return box(b"trak", full(b"tkhd", 0, 3, header, MATRIX, size), media)


def init_section(tracks: Sequence[Track]) -> bytes:
    """`ftyp` and `moov`."""
    movie = struct.pack(">IIIIIH10x", 0, 0, 1000, 0, 0x10000, 0x100)
    defaults = [full(b"trex", 0, 0, struct.pack(">IIIII", track.id, 1, 0, 0, 0)) for track in tracks]
    return box(b"ftyp", b"iso6", struct.pack(">I", 0), b"iso6cmfcmp41") + box(
        b"moov",
        full(b"mvhd", 0, 0, movie, MATRIX, b"\0" * 24, struct.pack(">I", 3)),
        *[_trak(track) for track in tracks],
        box(b"mvex", *defaults),
    )


def fragment(sequence: int, runs: Sequence[Run]) -> bytes:
    """`moof` and `mdat` with the samples of all runs."""
    head = len(_moof(sequence, runs, 0))
    payload = [sample.data for run in runs for sample in run.samples]
    mdat = struct.pack(">I4s", 8 + sum(map(len, payload)), b"mdat")
    return b"".join([_moof(sequence, runs, head + 8), mdat, *payload])


def _moof(sequence: int, runs: Sequence[Run], offset: int) -> bytes:
    trafs: list[bytes] = []
    for run in runs:
        if run.track == VIDEO:
            flags, default = 0xF01, full(b"tfhd", 0, 0x20000, struct.pack(">I", run.track))
            table = b"".join(
                struct.pack(">IIIi", one.duration, len(one.data), SYNC if one.key else NOT_SYNC, one.shift)
                for one in run.samples
            )
        else:
            flags, default = 0x301, full(b"tfhd", 0, 0x20020, struct.pack(">II", run.track, SYNC))
            table = b"".join(struct.pack(">II", one.duration, len(one.data)) for one in run.samples)
        decode_time = full(b"tfdt", 1, 0, struct.pack(">Q", run.start))
        trun = full(b"trun", 1, flags, struct.pack(">Ii", len(run.samples), offset), table)
        trafs.append(box(b"traf", default, decode_time, trun))
        offset += sum(len(one.data) for one in run.samples)
    return box(b"moof", full(b"mfhd", 0, 0, struct.pack(">I", sequence & 0xFFFFFFFF)), *trafs)


class Found(NamedTuple):
    """A piece of a recording: an init section, or a fragment with its video's times in seconds."""

    at: int
    size: int
    init: bool
    start: float = 0.0
    duration: float = 0.0
    key: bool = False


def scan(data: bytes, base: int = 0) -> Iterator[Found]:
    """The whole pieces in `data`, which lies at `base` of a file; stops at the first torn one."""
    at = 0
    while at + 8 <= len(data):
        size, name = struct.unpack_from(">I4s", data, at)
        if name not in {b"ftyp", b"moof"} or size < 8 or at + size + 8 > len(data):
            return
        second, second_name = struct.unpack_from(">I4s", data, at + size)
        end = at + size + second
        if second_name != (b"moov" if name == b"ftyp" else b"mdat") or end > len(data):
            return
        if name == b"ftyp":
            yield Found(base + at, end - at, init=True)
        else:
            start, duration, key = _times(data[at : at + size])
            yield Found(base + at, end - at, init=False, start=start, duration=duration, key=key)
        at = end


def _times(moof: bytes) -> tuple[float, float, bool]:
    """Start, duration and "begins with a keyframe" of our own fragment's first run, the video."""
    decode = moof.index(b"tfdt")
    (start,) = struct.unpack_from(">Q", moof, decode + 8)
    trun = moof.index(b"trun")
    (count,) = struct.unpack_from(">I", moof, trun + 8)
    entries = [struct.unpack_from(">IIIi", moof, trun + 16 + 16 * index) for index in range(count)]
    return start / VIDEO_RATE, sum(one[0] for one in entries) / VIDEO_RATE, bool(entries and entries[0][2] == SYNC)
