"""The child that opens a stranger's picture and makes ours of it. A program of its own: it must not import livestall.

    press.py < picture > answer

The answer is a line of JSON, then the bytes of the large picture and of the small one. The line is
`{"width", "height", "large", "small"}` (pixels of the large picture, lengths in bytes) or `{"refused", …details}` with
one of the words in `pictures.model.SAID`. Before the first byte is read, the process has given up what a hostile
picture could use: memory, time, files, new processes, the network.
"""

from __future__ import annotations

import io
import json
import resource
import sys
import warnings
from typing import Any

from PIL import Image, ImageCms, ImageOps

FORMATS = ("JPEG", "PNG", "WEBP", "GIF")
LARGE, SMALL = 1600, 400
QUALITY = 82
SRGB = ImageCms.createProfile("sRGB")
SRGB_FILE = ImageCms.ImageCmsProfile(SRGB).tobytes()
INTENT = ImageCms.Intent.PERCEPTUAL


class Refused(Exception):
    """The picture is not taken; `details` go to the parent as they are."""

    def __init__(self, refused: str, **details: int) -> None:
        super().__init__(refused)
        self.details = {"refused": refused, **details}


def give_up_rights(memory: int, seconds: int, answer: int) -> None:
    """Bytes of address space, seconds of CPU, bytes of the answer; no new file, socket or process from now on."""
    for kind, limit in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, answer),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_NOFILE, 3),
    ):
        resource.setrlimit(kind, (limit, limit))


def opened(data: bytes, side: int, pixels: int) -> Image.Image:
    """The picture, its head read and judged, its pixels not yet."""
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    except Image.UnidentifiedImageError as error:
        raise Refused("not-a-picture") from error
    width, height = image.size
    if max(width, height) > side or width * height > pixels:
        raise Refused("too-many-pixels", width=width, height=height)
    return image


def upright(image: Image.Image) -> Image.Image:
    """Turned as the camera's note says; a note that cannot be read turns nothing."""
    try:
        return ImageOps.exif_transpose(image)
    except Exception:
        return image


def in_srgb(image: Image.Image) -> Image.Image:
    """In the colours that browsers expect, without a profile; transparency is kept."""
    profile = image.info.get("icc_profile")
    clear = "A" in image.getbands() or "transparency" in image.info
    if profile and image.mode in {"RGB", "RGBA", "CMYK", "L"}:
        try:
            mode = "RGBA" if image.mode == "RGBA" else "RGB"
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            return ImageCms.profileToProfile(image, source, SRGB, INTENT, mode) or image.convert(mode)
        except (ImageCms.PyCMSError, OSError, ValueError):
            pass  # a broken profile is as good as none
    if image.mode.startswith("I"):  # 16 bits of grey: `convert` would cut them off at 255
        image = image.convert("I").point(lambda value: value / 256).convert("L")
    return image.convert("RGBA" if clear else "RGB")


def fitting(image: Image.Image, side: int) -> Image.Image:
    small = image.copy()
    small.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=3.0)
    return small


def encoded(image: Image.Image) -> bytes:
    """WebP without a word about who, where and with what: of the pixels alone, so no metadata comes along."""
    bare = Image.frombytes(image.mode, image.size, image.tobytes())
    out = io.BytesIO()
    bare.save(out, "WEBP", quality=QUALITY, method=4)
    return out.getvalue()


def press(data: bytes, side: int, pixels: int) -> tuple[dict[str, int], bytes, bytes]:
    image = opened(data, side, pixels)
    image.draft("RGB", (LARGE * 2, LARGE * 2))  # a JPEG is decoded at a half, a quarter, an eighth where that is enough
    image.load()
    if image.mode in {"1", "P", "PA"}:  # sizes of palette pictures are changed without mixing colours
        image = in_srgb(image)
    image.thumbnail((LARGE, LARGE), Image.Resampling.LANCZOS, reducing_gap=3.0)
    large = in_srgb(upright(image))
    one, two = encoded(large), encoded(fitting(large, SMALL))
    return {"width": large.width, "height": large.height, "large": len(one), "small": len(two)}, one, two


def warm_up(side: int, pixels: int) -> None:
    """Press one picture of each kind, so that whatever is loaded late is loaded while files can be opened."""
    exif = Image.Exif()
    exif[0x0112] = 6
    for kind in FORMATS:
        out = io.BytesIO()
        Image.new("P" if kind == "GIF" else "RGB", (2, 1)).save(out, kind, exif=exif, icc_profile=SRGB_FILE)
        press(out.getvalue(), side, pixels)


def main() -> None:
    side, pixels, memory, seconds, answer = (int(one) for one in sys.argv[1:])
    warnings.simplefilter("ignore")
    Image.MAX_IMAGE_PIXELS = None  # we count them ourselves, and say so in words
    Image.init()
    warm_up(side, pixels)
    give_up_rights(memory, seconds, answer)
    head: dict[str, Any]
    one = two = b""
    try:
        head, one, two = press(sys.stdin.buffer.read(), side, pixels)
    except Refused as refused:
        head = refused.details
    except Exception:  # whatever a decoder trips over, MemoryError among it, is the picture's fault
        head = {"refused": "broken"}
    sys.stdout.buffer.write(json.dumps(head).encode() + b"\n" + one + two)


if __name__ == "__main__":
    main()
