"""Goods of the demo market, and their pictures, drawn on the spot: still lifes of light, gradient and shadow."""
# ruff: noqa: E501 - the table of goods reads best one product a line

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFilter

Colour = tuple[int, int, int]
Box = tuple[float, float, float, float]


class Goods(NamedTuple):
    """One product: `name` keys its picture, `price_amount` in minor units (cents, fen)."""

    name: str
    en: str
    zh: str
    price_amount: int
    description_en: str
    description_zh: str


PRODUCTS: Sequence[Goods] = (
    Goods("mug", "Hand-thrown Mug", "手作陶杯", 8900, "Stoneware, 320 ml, dishwasher safe.", "粗陶烧制，320 毫升，可用洗碗机清洗。"),
    Goods("tea", "Spring Oolong Tin", "春茶乌龙罐装", 12800, "150 g, picked in April.", "150 克，四月采摘。"),
    Goods("honey", "Wildflower Honey", "山野百花蜜", 5900, "500 g from one mountain valley.", "500 克，产自同一片山谷。"),
    Goods("candle", "Cedar Candle", "雪松香薰蜡烛", 9900, "Soy wax, burns for 45 hours.", "大豆蜡，燃烧约 45 小时。"),
    Goods("perfume", "Garden at Six", "六点花园香水", 29900, "Eau de parfum, 50 ml.", "香水，50 毫升。"),
    Goods("lipstick", "Velvet Lipstick", "丝绒口红", 15900, "Matte, twelve hours.", "哑光质地，持妆十二小时。"),
    Goods("oranges", "Mountain Oranges, 5 kg", "高山甜橙 5 公斤", 4990, "From the tree to your door in 48 h.", "采摘后 48 小时送达。"),
    Goods("lamp", "Paper Table Lamp", "纸艺台灯", 19900, "Warm light, dimmable.", "暖光，可调亮度。"),
    Goods("vase", "Celadon Vase", "青瓷花瓶", 25900, "Fired at 1,280 °C, 28 cm.", "1280 度高温烧制，高 28 厘米。"),
    Goods("headphones", "Studio Headphones", "录音室头戴耳机", 59900, "40 hours on one charge.", "单次充电续航 40 小时。"),
    Goods("tote", "Canvas Tote", "帆布托特包", 7900, "Organic cotton, holds 14 kg.", "有机棉，承重 14 公斤。"),
    Goods("cream", "Rose Day Cream", "玫瑰日霜", 18900, "50 ml, for every skin.", "50 毫升，适合各种肤质。"),
)  # fmt: skip

BACKGROUNDS: dict[str, tuple[Colour, Colour]] = {
    "mug": ((250, 226, 205), (226, 160, 122)), "tea": ((222, 236, 214), (120, 164, 122)),
    "honey": ((255, 238, 186), (240, 178, 74)), "candle": ((232, 222, 240), (150, 128, 178)),
    "perfume": ((255, 224, 232), (232, 142, 170)), "lipstick": ((255, 214, 208), (214, 92, 98)),
    "oranges": ((206, 238, 236), (96, 178, 186)), "lamp": ((64, 74, 110), (24, 28, 54)),
    "vase": ((240, 236, 226), (196, 182, 156)), "headphones": ((214, 226, 246), (104, 136, 200)),
    "tote": ((248, 240, 214), (220, 190, 116)), "cream": ((255, 236, 238), (238, 176, 186)),
}  # fmt: skip


def gradient(size: tuple[int, int], stops: Sequence[Colour], *, across: bool = False) -> Image.Image:
    """From the first colour to the last, downwards or across."""
    strip = Image.new("RGB", (1, len(stops)))
    strip.putdata(list(stops))
    steps = strip.resize((1, 256), Image.Resampling.BICUBIC)
    return (steps.rotate(90, expand=True) if across else steps).resize(size, Image.Resampling.BILINEAR)


def shade(colour: Colour, by: float) -> Colour:
    """Lighter (by > 1) or darker."""
    red, green, blue = (max(0, min(255, round(part * by))) for part in colour)
    return red, green, blue


def round_body(colour: Colour) -> list[Colour]:
    """How light falls on a round body: from its left edge to its right."""
    return [shade(colour, by) for by in (0.72, 0.98, 1.22, 1.08, 0.92, 0.74, 0.58)]


def _falling(distance: int, strength: int) -> int:
    """How bright a light is so far out: level at its middle, nothing from the sides of its square on, no edge anywhere.

    Pillow's radial gradient says 255 in the corners, so a side is 255 / √2 away.
    """
    share = min(1.0, distance * math.sqrt(2) / 255)
    return round(strength * (0.5 + 0.5 * math.cos(math.pi * share)))


class Canvas:
    """A square in units of 0–1000, drawn larger and scaled down."""

    def __init__(self, pixels: int, colours: tuple[Colour, Colour] | None) -> None:
        self.pixels = pixels
        self.image = Image.new("RGBA", (pixels, pixels), (0, 0, 0, 0))
        if colours is not None:
            self.image.paste(gradient((pixels, pixels), colours).convert("RGBA"))
            self.glow((500, 360), 620, (255, 255, 255), 120)

    def _box(self, box: Box) -> tuple[float, float, float, float]:
        left, top, right, bottom = (value * self.pixels / 1000 for value in box)
        return left, top, right, bottom

    def _fill(self, mask: Image.Image, stops: Sequence[Colour], *, across: bool) -> None:
        area = mask.getbbox()
        if area is None:
            return
        paint = gradient((area[2] - area[0], area[3] - area[1]), stops, across=across).convert("RGBA")
        self.image.paste(paint, area[:2], mask.crop(area))

    def mask(self, draw: Callable[[ImageDraw.ImageDraw], None]) -> Image.Image:
        mask = Image.new("L", self.image.size, 0)
        draw(ImageDraw.Draw(mask))
        return mask

    def rounded(self, box: Box, radius: float, stops: Sequence[Colour], *, across: bool = True) -> None:
        scaled, corner = self._box(box), radius * self.pixels / 1000
        self._fill(self.mask(lambda d: d.rounded_rectangle(scaled, corner, fill=255)), stops, across=across)

    def ellipse(self, box: Box, stops: Sequence[Colour], *, across: bool = False) -> None:
        scaled = self._box(box)
        self._fill(self.mask(lambda d: d.ellipse(scaled, fill=255)), stops, across=across)

    def polygon(self, points: Sequence[tuple[float, float]], stops: Sequence[Colour], *, across: bool = True) -> None:
        scaled = [(x * self.pixels / 1000, y * self.pixels / 1000) for x, y in points]
        self._fill(self.mask(lambda d: d.polygon(scaled, fill=255)), stops, across=across)

    def ring(self, box: Box, width: float, stops: Sequence[Colour], start: float = 0, end: float = 360) -> None:
        scaled, line = self._box(box), round(width * self.pixels / 1000)
        self._fill(self.mask(lambda d: d.arc(scaled, start, end, fill=255, width=line)), stops, across=True)

    def glow(self, centre: tuple[float, float], radius: float, colour: Colour, strength: int) -> None:
        """A light that fades to nothing at `radius`; nothing of it is cut off by an edge that is farther away."""
        side = round(2 * radius * self.pixels / 1000)
        corner = (round((centre[0] - radius) * self.pixels / 1000), round((centre[1] - radius) * self.pixels / 1000))
        light = Image.radial_gradient("L").point([_falling(distance, strength) for distance in range(256)])
        mask = Image.new("L", self.image.size, 0)
        mask.paste(light.resize((side, side), Image.Resampling.BICUBIC), corner)
        layer = Image.new("RGBA", self.image.size, (*colour, 0))
        layer.putalpha(mask)
        self.image = Image.alpha_composite(self.image, layer)

    def shadow(self, box: Box) -> None:
        """A soft shadow on the table."""
        small = Image.new("L", (250, 250), 0)
        ImageDraw.Draw(small).ellipse(tuple(value / 4 for value in box), fill=120)
        mask = small.filter(ImageFilter.GaussianBlur(6)).resize(self.image.size, Image.Resampling.BICUBIC)
        layer = Image.new("RGBA", self.image.size, (30, 16, 20, 0))
        layer.putalpha(mask)
        self.image = Image.alpha_composite(self.image, layer)

    def shine(self, box: Box, strength: int = 120) -> None:
        """A soft reflection of a window."""
        small = Image.new("L", (500, 500), 0)
        ImageDraw.Draw(small).rounded_rectangle(tuple(value / 2 for value in box), 8, fill=strength)
        mask = small.filter(ImageFilter.GaussianBlur(4)).resize(self.image.size, Image.Resampling.BICUBIC)
        layer = Image.new("RGBA", self.image.size, (255, 255, 255, 0))
        layer.putalpha(mask)
        self.image = Image.alpha_composite(self.image, layer)


def _mug(c: Canvas) -> None:
    clay = (206, 92, 66)
    c.shadow((240, 770, 800, 870))
    c.ring((600, 430, 830, 700), 46, round_body(clay))
    c.rounded((270, 350, 680, 820), 70, round_body(clay))
    c.rounded((270, 350, 680, 520), 60, round_body((244, 230, 212)))
    c.ellipse((270, 310, 680, 400), [(250, 238, 222), (222, 200, 176)])
    c.ellipse((292, 324, 658, 390), [(74, 40, 26), (124, 74, 44)])
    c.shine((330, 430, 360, 740))


def _tea(c: Canvas) -> None:
    green = (48, 104, 74)
    c.shadow((270, 790, 740, 880))
    c.rounded((310, 300, 690, 840), 36, round_body(green))
    c.rounded((300, 220, 700, 350), 30, round_body((36, 82, 58)))
    c.ellipse((304, 200, 696, 270), [(110, 160, 124), (48, 96, 68)])
    c.rounded((360, 430, 640, 720), 12, [(250, 244, 224), (236, 224, 190)])
    for index in range(3):
        c.ellipse((440 + index * 34, 500, 486 + index * 34, 620), [(120, 170, 96), (52, 110, 62)])
    c.rounded((420, 650, 580, 664), 6, [(196, 160, 72), (160, 122, 48)])
    c.shine((340, 380, 362, 780))


def _honey(c: Canvas) -> None:
    c.shadow((240, 790, 760, 880))
    c.rounded((280, 330, 720, 840), 90, round_body((236, 152, 30)))
    c.glow((500, 560), 240, (255, 220, 90), 130)
    c.rounded((310, 240, 690, 350), 26, round_body((206, 168, 96)))
    c.ellipse((312, 222, 688, 282), [(240, 212, 150), (204, 168, 100)])
    c.rounded((330, 480, 670, 720), 20, [(255, 250, 236), (246, 232, 200)])
    for x, y in ((450, 540), (550, 540), (400, 600), (500, 600), (600, 600), (450, 660), (550, 660)):
        hexagon = [(x, y - 34), (x + 30, y - 17), (x + 30, y + 17), (x, y + 34), (x - 30, y + 17), (x - 30, y - 17)]
        c.polygon(hexagon, [(250, 190, 60), (232, 150, 30)])
    c.shine((318, 400, 340, 760))


def _candle(c: Canvas) -> None:
    c.shadow((260, 790, 760, 880))
    c.rounded((300, 420, 700, 840), 40, round_body((236, 226, 232)))
    c.ellipse((300, 380, 700, 470), [(250, 244, 240), (226, 212, 218)])
    c.ellipse((330, 396, 670, 456), [(255, 238, 206), (250, 222, 180)])
    c.rounded((494, 360, 506, 424), 5, [(60, 44, 40), (60, 44, 40)])
    c.glow((500, 320), 300, (255, 196, 92), 220)
    c.polygon([(500, 226), (532, 318), (500, 372), (468, 318)], [(255, 246, 200), (255, 176, 60)], across=False)
    c.rounded((400, 560, 600, 720), 10, [(128, 100, 158), (100, 76, 132)])
    c.shine((330, 500, 352, 790))


def _perfume(c: Canvas) -> None:
    c.shadow((240, 790, 770, 880))
    c.rounded((300, 400, 700, 840), 46, [(255, 196, 208), (255, 236, 240), (248, 168, 188), (222, 112, 146)])
    c.rounded((336, 480, 664, 806), 30, [(248, 150, 176), (255, 206, 216), (236, 120, 156)])
    c.rounded((450, 330, 550, 410), 10, round_body((222, 190, 120)))
    c.rounded((420, 200, 580, 340), 22, round_body((244, 214, 150)))
    c.rounded((400, 580, 600, 700), 8, [(255, 250, 248), (250, 236, 238)])
    c.shine((346, 450, 376, 780), 170)


def _lipstick(c: Canvas) -> None:
    c.shadow((310, 800, 700, 880))
    c.rounded((400, 560, 600, 850), 16, round_body((44, 36, 44)))
    c.rounded((416, 470, 584, 590), 10, round_body((232, 192, 112)))
    c.polygon([(436, 480), (436, 300), (470, 232), (564, 180), (564, 480)], round_body((206, 30, 58)))
    c.shine((450, 300, 468, 470))
    c.ellipse((180, 740, 390, 850), [(236, 84, 104), (180, 24, 52)])


def _oranges(c: Canvas) -> None:
    c.shadow((130, 780, 880, 900))
    for x, y, r in ((330, 640, 170), (660, 650, 175), (500, 470, 180)):
        c.ellipse((x - r, y - r, x + r, y + r), [(255, 190, 60), (250, 142, 24), (206, 90, 10)])
        c.glow((x - r * 0.3, y - r * 0.4), r * 0.7, (255, 236, 170), 150)
    c.rounded((492, 262, 508, 320), 6, [(90, 70, 30), (90, 70, 30)])
    c.polygon([(506, 296), (590, 220), (680, 236), (600, 300)], [(120, 186, 70), (50, 122, 46)])


def _lamp(c: Canvas) -> None:
    c.shadow((300, 820, 720, 890))
    c.glow((500, 420), 420, (255, 196, 110), 220)
    c.rounded((484, 560, 516, 840), 10, round_body((150, 112, 74)))
    c.ellipse((380, 810, 620, 870), [(176, 136, 92), (112, 80, 50)])
    for index in range(6):
        width = (150, 205, 235, 235, 205, 150)[index]
        top = 210 + index * 62
        c.rounded((500 - width, top, 500 + width, top + 74), 34, [(255, 214, 150), (255, 246, 220), (255, 206, 136)])


def _vase(c: Canvas) -> None:
    celadon = (150, 190, 172)
    c.shadow((300, 800, 720, 880))
    for dx, top, colour in ((-120, 120, (214, 92, 92)), (0, 60, (240, 160, 150)), (110, 140, (226, 120, 110))):
        stem = [(496, 420), (504, 420), (506 + dx, top + 80), (496 + dx, top + 80)]
        c.polygon(stem, [(84, 120, 70), (60, 96, 54)])
        c.ellipse((440 + dx, top, 560 + dx, top + 120), [shade(colour, 1.25), shade(colour, 0.85)])
    c.ellipse((310, 440, 690, 850), round_body(celadon), across=True)
    c.rounded((436, 370, 564, 520), 20, round_body(celadon))
    c.ellipse((420, 348, 580, 402), [(186, 216, 200), (110, 150, 132)])
    c.shine((370, 560, 396, 740))


def _headphones(c: Canvas) -> None:
    steel = (62, 70, 92)
    c.shadow((190, 800, 820, 880))
    c.ring((220, 180, 780, 880), 54, round_body(steel), 190, 350)
    c.ring((250, 214, 750, 860), 18, round_body((196, 204, 222)), 196, 344)
    for left in (170, 660):
        c.rounded((left, 500, left + 170, 810), 76, round_body(steel))
        c.rounded((left + 22, 530, left + 148, 780), 60, round_body((232, 120, 86)))
        c.shine((left + 46, 570, left + 60, 740), 90)


def _tote(c: Canvas) -> None:
    cotton = (240, 226, 196)
    c.shadow((220, 810, 800, 890))
    c.ring((360, 170, 640, 620), 30, round_body((206, 186, 146)), 180, 360)
    c.polygon(
        [(270, 390), (730, 390), (770, 850), (230, 850)], [shade(cotton, by) for by in (0.86, 1.02, 1.06, 0.98, 0.84)]
    )
    c.ellipse((400, 520, 600, 720), [(238, 108, 84), (206, 64, 60)])
    c.polygon([(300, 760), (430, 620), (520, 710), (600, 640), (700, 760)], [(60, 110, 120), (40, 84, 100)])


def _cream(c: Canvas) -> None:
    c.shadow((220, 780, 790, 880))
    c.rounded((270, 540, 730, 830), 60, round_body((250, 226, 228)))
    c.rounded((256, 420, 744, 570), 34, round_body((236, 158, 170)))
    c.ellipse((258, 392, 742, 468), [(252, 204, 210), (232, 150, 164)])
    c.rounded((400, 640, 600, 660), 8, [(206, 130, 142), (180, 100, 116)])
    for x, y in ((800, 800), (180, 830), (240, 760)):
        c.ellipse((x - 50, y - 28, x + 50, y + 28), [(255, 176, 190), (226, 106, 132)])
    c.shine((300, 590, 326, 780))


DRAWINGS: dict[str, Callable[[Canvas], None]] = {
    "mug": _mug, "tea": _tea, "honey": _honey, "candle": _candle, "perfume": _perfume, "lipstick": _lipstick,
    "oranges": _oranges, "lamp": _lamp, "vase": _vase, "headphones": _headphones, "tote": _tote, "cream": _cream,
}  # fmt: skip


def draw(name: str, size: int = 1000) -> Image.Image:
    """The catalogue picture of a product, square, RGB. Raises KeyError for a name that is not in PRODUCTS."""
    canvas = Canvas(size * 2, BACKGROUNDS[name])
    canvas.polygon(
        [(0, 760), (1000, 760), (1000, 1000), (0, 1000)],
        [shade(BACKGROUNDS[name][1], by) for by in (0.96, 0.8)],
        across=False,
    )
    DRAWINGS[name](canvas)
    return canvas.image.convert("RGB").resize((size, size), Image.Resampling.LANCZOS)


def cut_out(name: str, size: int) -> Image.Image:
    """The product alone on nothing, square, RGBA, for laying over a moving picture."""
    canvas = Canvas(size * 2, None)
    DRAWINGS[name](canvas)
    return canvas.image.resize((size, size), Image.Resampling.LANCZOS)
