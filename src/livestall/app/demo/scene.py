"""The moving picture of the demo show: goods on a stage, one after the other, and a clock with tenths.

What is written stands in the upper third: a room lays its chat and its goods over the lower half, and a tall phone
cuts 64 pixels off each side.

Everything is drawn once, in the planes that the encoder takes (Y, Cb, Cr; BT.601, limited range); a frame is then a few
copies in C. Only the clock is written anew, ten times a second.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFilter, ImageFont

from livestall.app.demo import pictures
from livestall.app.demo.pictures import PRODUCTS, Goods

WIDTH, HEIGHT, FPS = 720, 1280, 25
SLIDE_SECONDS = 40.0
"""How long each of the goods is on stage. Turns are counted from the epoch, so that the director knows them too."""

TURN_SECONDS = 0.7
SPRITE = 600
MARGIN = 40
LUMA = [16 + round(value * 219 / 255) for value in range(256)]
CHROMA = [128 + round((value - 128) * 224 / 255) for value in range(256)]
CHINESE_FONTS = (
    "/usr/share/fonts/opentype/noto/NotoSansCJK-Bold.ttc",
    "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/opentype/noto/NotoSerifCJK-Bold.ttc",
    "/usr/share/fonts/truetype/wqy/wqy-zenhei.ttc",
    "/System/Library/Fonts/PingFang.ttc",
    "C:/Windows/Fonts/msyhbd.ttc",
)

WHITE, STROKE = (255, 255, 255, 255), 1
"""Pillow's own letters are thin: drawn a little bolder, they are read on a phone."""

TITLE_SIZES, TITLE_ROOM = (24, 22, 20, 18, 16, 14), 250
"""The largest in which a title goes into so many pixels is taken."""

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def font(size: int) -> Font:
    """Pillow's own: it is there on every machine."""
    return ImageFont.load_default(size)


def chinese_font(size: int) -> Font | None:
    """A system font with Chinese characters, if there is one."""
    path = next((one for one in CHINESE_FONTS if Path(one).exists()), None)
    return None if path is None else ImageFont.truetype(path, size)


class Planes:
    """A picture as Y, Cb and Cr, the last two at half size; with an alpha plane for each size if it has holes."""

    def __init__(self, image: Image.Image) -> None:
        luma, blue, red = image.convert("RGB").convert("YCbCr").split()
        half = (image.width // 2, image.height // 2)
        self.y = luma.point(LUMA)
        self.u = blue.resize(half, Image.Resampling.BOX).point(CHROMA)
        self.v = red.resize(half, Image.Resampling.BOX).point(CHROMA)
        self.alpha = image.getchannel("A") if image.mode == "RGBA" else None
        self.half_alpha = self.alpha.resize(half, Image.Resampling.BOX) if self.alpha is not None else None

    def crop(self, x: int, y: int, width: int, height: int) -> Planes:
        """A window of it; even numbers only."""
        part = object.__new__(Planes)
        part.y = self.y.crop((x, y, x + width, y + height))
        half = (x // 2, y // 2, (x + width) // 2, (y + height) // 2)
        part.u, part.v = self.u.crop(half), self.v.crop(half)
        part.alpha = part.half_alpha = None
        return part

    def lay(self, other: Planes, x: int, y: int) -> None:
        """Lay `other` on it at even coordinates."""
        x, y = x & ~1, y & ~1
        self.y.paste(other.y, (x, y), other.alpha)
        self.u.paste(other.u, (x // 2, y // 2), other.half_alpha)
        self.v.paste(other.v, (x // 2, y // 2), other.half_alpha)

    def mix(self, other: Planes, share: float) -> None:
        self.y = Image.blend(self.y, other.y, share)
        self.u = Image.blend(self.u, other.u, share)
        self.v = Image.blend(self.v, other.v, share)


def _backdrop(goods: Goods) -> Image.Image:
    """A stage in the product's colours, with soft lights, a little larger than the picture."""
    light, deep = pictures.BACKGROUNDS[goods.name]
    size = (WIDTH + 2 * MARGIN, HEIGHT + 2 * MARGIN)
    image = pictures.gradient(size, [light, deep, pictures.shade(deep, 0.5)]).convert("RGBA")
    lights = Image.new("RGBA", (size[0] // 4, size[1] // 4), (255, 255, 255, 0))
    pen = ImageDraw.Draw(lights)
    for index in range(16):
        x, y = (index * 83 + 29) % lights.width, (index * 131 + 17) % lights.height
        radius = 8 + index * 7 % 23
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=(255, 255, 255, 22 + index % 4 * 10))
    soft = lights.filter(ImageFilter.GaussianBlur(3)).resize(size, Image.Resampling.BICUBIC)
    image = Image.alpha_composite(image, soft)
    stage = Image.new("RGBA", (size[0] // 4, size[1] // 4), (0, 0, 0, 0))
    middle, floor = size[0] // 8, (930 + MARGIN) // 4
    ImageDraw.Draw(stage).ellipse((middle - 80, floor - 18, middle + 80, floor + 22), fill=(255, 255, 255, 110))
    blurred = stage.filter(ImageFilter.GaussianBlur(4)).resize(size, Image.Resampling.BICUBIC)
    return Image.alpha_composite(image, blurred).convert("RGB")


def _pill(width: int, height: int, fill: tuple[int, int, int, int], radius: int) -> Image.Image:
    image = Image.new("RGBA", (width * 2, height * 2), (0, 0, 0, 0))
    ImageDraw.Draw(image).rounded_rectangle((0, 0, width * 2 - 1, height * 2 - 1), radius * 2, fill=fill)
    return image.resize((width, height), Image.Resampling.LANCZOS)


def _caption(goods: Goods) -> Image.Image:
    """Name in both languages; the price is the room's to tell."""
    image = _pill(540, 132, (12, 12, 20, 120), 28)
    pen = ImageDraw.Draw(image)
    pen.text((28, 18), goods.en, font=font(36), fill=WHITE, stroke_width=STROKE)
    if (script := chinese_font(30)) is not None:
        pen.text((28, 74), goods.zh, font=script, fill=(255, 255, 255, 215))
    return image


class Scene:
    """`frame(at)` is the picture at Unix seconds `at`."""

    def __init__(self, title: str, goods: Sequence[Goods] = PRODUCTS, slide_seconds: float = SLIDE_SECONDS) -> None:
        self._slide_seconds = slide_seconds
        self._slides = [
            (Planes(_backdrop(one)), Planes(pictures.cut_out(one.name, SPRITE)), Planes(_caption(one))) for one in goods
        ]
        self._title = Planes(self._title_image(title))
        self._clock_font = font(40)
        self._clock_text = ""
        self._clock = self._title

    @staticmethod
    def _title_image(title: str) -> Image.Image:
        image = _pill(316, 60, (12, 12, 20, 120), 30)
        pen = ImageDraw.Draw(image)
        pen.ellipse((20, 21, 38, 39), fill=(255, 60, 72, 255))
        words = title.partition(":")[0][:24]
        plain = all(ord(one) < 0x250 for one in words)
        sizes = [font(size) if plain else chinese_font(size) or font(size) for size in TITLE_SIZES]
        chosen = next((one for one in sizes if one.getlength(words) <= TITLE_ROOM), sizes[-1])
        pen.text((50, 30), words, font=chosen, fill=WHITE, anchor="lm")
        return image

    def _clock_at(self, at: float) -> Planes:
        text = time.strftime("%H:%M:%S", time.localtime(at)) + f".{int(at * 10) % 10}"
        if text != self._clock_text:
            self._clock_text = text
            image = _pill(212, 60, (12, 12, 20, 120), 30)
            pen = ImageDraw.Draw(image)
            pen.text((106, 30), text, font=self._clock_font, fill=WHITE, stroke_width=STROKE, anchor="mm")
            self._clock = Planes(image)
        return self._clock

    def frame(self, at: float) -> Planes:
        turn, since = divmod(at, self._slide_seconds)
        now = int(turn) % len(self._slides)
        backdrop, sprite, caption = self._slides[now]
        x = MARGIN + round(math.sin(at * 0.5) * MARGIN / 2) * 2 // 2 & ~1
        y = MARGIN + round(math.cos(at * 0.37) * MARGIN) & ~1
        picture = backdrop.crop(x, y, WIDTH, HEIGHT)
        bob = round(math.sin(at * 2.1) * 14)
        home = (WIDTH - SPRITE) // 2 + round(math.sin(at * 0.9) * 24)
        if since < TURN_SECONDS:
            share = 1 - (1 - since / TURN_SECONDS) ** 3
            before = self._slides[now - 1]
            old = before[0].crop(x, y, WIDTH, HEIGHT)
            old.mix(picture, share)
            picture = old
            picture.lay(before[1], round(home - share * WIDTH), 430 + bob)
            home = round(home + (1 - share) * WIDTH)
        picture.lay(sprite, home, 430 + bob)
        picture.lay(caption, (WIDTH - 540) // 2, 326)
        picture.lay(self._title, 90, 250)
        picture.lay(self._clock_at(at), WIDTH - 90 - 212, 250)
        return picture
