"""Pictures of products: how large they may be, and the sentences for those that are not taken."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

import msgspec

from livestall.base.errors import Conflict, Invalid, Refusal, TooLarge, Unavailable

BYTES_MAX = 20 * 1024 * 1024
SIDE_MAX, PIXELS_MAX = 12_000, 40_000_000
PICTURES_MAX = 20
"""A product has at most so many pictures, whatever became of them."""

URL_MAX, ALT_MAX = 2048, 512


class Shrunk(msgspec.Struct, frozen=True):
    """A picture of ours: WebP without metadata, upright, at most 1600 px (`large`) and 400 px (`small`) a side.
    `width` and `height` are those of `large`."""

    large: bytes
    small: bytes
    width: int
    height: int


class Waiting(msgspec.Struct, frozen=True):
    """A picture that is to be fetched; `attempts` counts this one too."""

    id: UUID
    product_id: UUID
    url: str
    attempts: int


class NotAPicture(Invalid):
    code = "not-a-picture"
    en = "This file is not a picture that we can read. Use a JPEG, PNG, WebP or GIF."
    zh = "无法识别该文件为图片，请使用 JPEG、PNG、WebP 或 GIF 格式。"


class BrokenPicture(Invalid):
    code = "broken-picture"
    en = "This picture is damaged or incomplete. Open it on your device, save it again as JPEG or PNG, and use that."
    zh = "图片已损坏或不完整，请在设备上打开后另存为 JPEG 或 PNG 再试。"


class TooWide(Invalid):
    code = "picture-too-wide"
    en = "This picture is {pixels} px wide: at most {limit}. Make it smaller; 2,000 px a side is plenty."
    zh = "图片宽 {pixels} 像素，最多 {limit} 像素。请缩小后再试，边长 2,000 像素已足够清晰。"


class TooHigh(Invalid):
    code = "picture-too-high"
    en = "This picture is {pixels} px high: at most {limit}. Make it smaller; 2,000 px a side is plenty."
    zh = "图片高 {pixels} 像素，最多 {limit} 像素。请缩小后再试，边长 2,000 像素已足够清晰。"


class TooManyPixels(Invalid):
    code = "too-many-pixels"
    en = "This picture has {megapixels} megapixels: at most {limit}. Make it smaller; 2,000 px a side is plenty."
    zh = "图片有 {megapixels} 百万像素，最多 {limit} 百万像素。请缩小后再试，边长 2,000 像素已足够清晰。"


class PictureTooLarge(TooLarge):
    code = "picture-too-large"
    en = "This picture has more than 20 MB. Make it smaller or save it as JPEG, and use that."
    zh = "图片超过 20 MB，请缩小或另存为 JPEG 后再试。"


class TooManyPictures(Conflict):
    code = "too-many-pictures"
    en = "This product has 20 pictures already. Delete one first."
    zh = "该商品已有 20 张图片，请先删除一张。"


class PressBusy(Unavailable):
    code = "picture-press-busy"
    en = "Too many pictures are being prepared right now. Try again in a minute."
    zh = "正在处理的图片过多，请稍后再试。"


class BadAddress(Invalid):
    code = "bad-picture-address"
    en = "This is not the web address of a picture. Write it whole, like https://shop.example/teapot.jpg."
    zh = "这不是有效的图片网址，请填写完整地址，例如 https://shop.example/teapot.jpg。"


class PrivateAddress(Invalid):
    code = "private-picture-address"
    en = "Pictures are not fetched from {host}: it is not on the public internet. Upload the picture instead."
    zh = "无法从 {host} 获取图片：该地址不在公共网络上，请直接上传图片。"


class WrongPort(Invalid):
    code = "wrong-picture-port"
    en = "Pictures are fetched from the usual ports 80 and 443 only, not {port}. Upload the picture instead."
    zh = "仅支持从 80 和 443 端口获取图片，不支持 {port} 端口，请直接上传图片。"


class TooManyRedirects(Invalid):
    code = "too-many-redirects"
    en = "The address of the picture leads on and on to others. Use the address of the picture itself."
    zh = "图片网址跳转次数过多，请使用图片的直接地址。"


class NotThere(Invalid):
    code = "picture-not-there"
    en = "{host} did not give us the picture (answer {status}). Check that the address opens without signing in."
    zh = "{host} 未返回图片（状态码 {status}），请确认该网址无需登录即可打开。"


class NoAnswer(Unavailable):
    """Worth another try: the network or the other server is in trouble now."""

    code = "no-answer"
    en = "{host} could not be reached or did not send the picture in time. Check the address, or upload the picture."
    zh = "无法连接 {host} 或图片传输超时，请检查网址，或直接上传图片。"


SAID: Mapping[str, type[Refusal]] = {"not-a-picture": NotAPicture, "broken": BrokenPicture}
"""The words of the press that need no details."""


def too_large(width: int, height: int) -> Refusal:
    """What to say of a picture of so many pixels; it breaks one of the limits."""
    if max(width, height) > SIDE_MAX:
        kind = TooWide if width >= height else TooHigh
        return kind(pixels=f"{max(width, height):,}", limit=f"{SIDE_MAX:,}")
    return TooManyPixels(megapixels=f"{width * height / 1e6:.1f}", limit=PIXELS_MAX // 1_000_000)
