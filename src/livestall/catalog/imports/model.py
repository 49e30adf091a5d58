"""Imports: what a seller sees of one, and every sentence that can be said about a file or a line of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import msgspec

from livestall.base.errors import Invalid, NotFound

MEGABYTES_MAX = 50
LINES_MAX = 500_000
ERRORS_MAX = 1000
VALUE_SHOWN = 100
VARIANTS_MAX = 250
QUANTITY_MAX = 10**9
ALT_MAX = 512

State = Literal["reading", "done", "failed"]


class ImportError(msgspec.Struct, frozen=True):  # noqa: A001 - the word of the API
    """What is wrong in a line of the file. `line` is the file's real line, 1 is its first."""

    line: int
    column: str
    value: str
    message: str


class Import(msgspec.Struct, frozen=True):
    """How far an import is. `lines` counts rows behind the heading; at most 1,000 errors are kept of `errors_total`."""

    id: UUID
    state: State
    lines: int
    lines_done: int
    products_created: int
    products_updated: int
    pictures_pending: int
    errors: list[ImportError]
    errors_total: int
    created_at: datetime
    error: str | None


class Fault(msgspec.Struct, frozen=True):
    """A problem as it is stored: `code` is a key of SENTENCES, `details` its words. Sentences are made when read."""

    code: str
    details: dict[str, Any] = {}
    line: int = 0
    column: str = ""
    value: str = ""


class BadFile(Exception):
    """The whole file cannot be imported."""

    def __init__(self, code: str, **details: object) -> None:
        super().__init__(code)
        self.fault = Fault(code, dict(details))


class NoSuchImport(NotFound):
    code = "no-such-import"
    en = "There is no such import."
    zh = "该导入记录不存在。"


class NoFile(Invalid):
    code = "no-file"
    en = "Send the CSV file as the form field “file”."
    zh = "请以表单字段“file”上传 CSV 文件。"


SENTENCES: Mapping[str, tuple[str, str]] = {
    # the whole file
    "empty-file": (
        "The file is empty. Choose the CSV file with your products.",
        "文件是空的，请选择包含商品的 CSV 文件。",
    ),
    "no-products": (
        "The file has a heading but no products below it. Add a line for each variant.",
        "文件只有表头，没有商品。请为每个规格添加一行。",
    ),
    "workbook": (
        "This is an Excel workbook, not a CSV file. In Excel choose File → Save as → “CSV UTF-8” and upload that file.",
        "这是 Excel 工作簿，不是 CSV 文件。请在 Excel 中选择“文件 → 另存为 → CSV UTF-8”，再上传该文件。",
    ),
    "binary-file": (
        "This is not a text file. Save the table as “CSV UTF-8” and upload that file.",
        "这不是文本文件。请将表格另存为“CSV UTF-8”后再上传。",
    ),
    "not-utf8": (
        "Line {line} is not UTF-8 text. Save the file as “CSV UTF-8” (Excel: File → Save as) and upload it again.",
        "第 {line} 行不是 UTF-8 文本。请将文件另存为“CSV UTF-8”（Excel、WPS：文件 → 另存为），再重新上传。",
    ),
    "open-quote": (
        "The quotation mark opened on line {line} is never closed. Close it and upload the file again.",
        "第 {line} 行的引号没有闭合，其后的内容无法读取。请补上引号后重新上传。",
    ),
    "missing-columns": (
        "The file has no column {columns}. Add it to the heading; the template shows all columns.",
        "文件缺少列：{columns}。请在表头中补上；可参考模板。",
    ),
    "repeated-column": (
        "The column “{column}” is there twice. Remove one of them.",
        "列“{column}”出现了两次，请删除其中一列。",
    ),
    "too-many-lines": (
        "The file has more than {limit} lines. Split it and upload the parts one after the other.",
        "文件超过 {limit} 行，请拆分后依次上传。",
    ),
    "file-gone": (
        "The uploaded file is not there any more. Upload it again.",
        "上传的文件已不存在，请重新上传。",
    ),
    "stopped": (
        "Reading the file failed again and again. What was imported stays; upload the file again, or ask the operator.",
        "多次读取文件均失败。已导入的商品会保留；请重新上传，或联系市场运营者。",
    ),
    # a line; its product is not imported
    "no-handle": (
        "The handle is empty. Give all lines of a product the same handle.",
        "Handle 为空。同一商品的所有行请填写相同的 Handle。",
    ),
    "no-title": ("The product has no title. Fill it in on its first line.", "商品没有标题，请在其第一行填写。"),
    "too-long": ("This is longer than {limit} characters. Make it shorter.", "内容超过 {limit} 个字符，请缩短。"),
    "zero-byte": (
        "The cell holds a zero byte, which no text may have. Type it anew.",
        "单元格中含有空字节，无法保存，请重新输入。",
    ),
    "too-many-cells": (
        "The line has more cells than the heading. Put text with commas in quotation marks.",
        "该行的单元格多于表头。含逗号的文字请用引号括起来。",
    ),
    "no-price": ("The price is missing.", "缺少价格。"),
    "bad-price": (
        "This is not a price in {currency}. Write it like 19.90, without a sign.",
        "这不是有效的 {currency} 价格，请写成 19.90 这样的形式，不带符号。",
    ),
    "bad-quantity": (
        "The quantity must be a whole number from 0 to {limit}.",
        "数量必须是 0 到 {limit} 之间的整数。",
    ),
    "bad-status": ("The status must be active, draft or archived.", "状态必须是 active、draft 或 archived。"),
    "bad-published": ("Published must be TRUE or FALSE.", "Published 必须是 TRUE 或 FALSE。"),
    "bad-position": ("The position must be a whole number from 1 to {limit}.", "位置必须是 1 到 {limit} 之间的整数。"),
    "too-many-variants": (
        "The product has more than {limit} variants. Make two products of it.",
        "商品超过 {limit} 个规格，请拆分成两个商品。",
    ),
    "too-many-options": ("A product has at most {limit} options.", "一个商品最多有 {limit} 个选项。"),
    "repeated-option": ("Two options of the product have the same name.", "商品有两个同名的选项。"),
    "no-option-value": ("The option “{option}” has no value on this line.", "该行缺少选项“{option}”的值。"),
    "no-option-name": (
        "There is a value but the option has no name. Name it on the product's first line.",
        "填写了选项值但没有选项名。请在商品第一行填写选项名。",
    ),
    "repeated-variant": (
        "This variant is on line {other} already.",
        "该规格已在第 {other} 行出现。",
    ),
    "repeated-sku": (
        "Line {other} of the same product has this SKU already. Give each variant its own.",
        "同一商品的第 {other} 行已使用该 SKU，请为每个规格设置不同的 SKU。",
    ),
    "no-variant": ("The product has no line with a price.", "商品没有带价格的行。"),
    "not-saved": (
        "This product could not be saved. Check its lines and upload them again.",
        "该商品无法保存，请检查其各行后重新上传。",
    ),
    # a line; its product is imported without this
    "asks-nothing": (
        "Nothing can be sold for nothing; the product was imported as a draft.",
        "售价为零的商品不能出售，已导入为草稿。",
    ),
    "low-compare-price": (
        "The price before must be higher than the price; it was left out.",
        "原价必须高于售价，已忽略。",
    ),
    "bad-picture-address": (
        "This is not the address of a picture (http:// or https://); the product was imported without it.",
        "这不是有效的图片地址（http:// 或 https://），商品已导入但未包含该图片。",
    ),
    "too-many-pictures": (
        "The product has more than {limit} pictures; this one was left out.",
        "商品图片超过 {limit} 张，已忽略此图片。",
    ),
}  # fmt: skip


def sentence(fault: Fault, locale: str) -> str:
    """The fault as a sentence in "en" or "zh"."""
    en, zh = SENTENCES[fault.code]
    return (zh if locale == "zh" else en).format(**fault.details)
