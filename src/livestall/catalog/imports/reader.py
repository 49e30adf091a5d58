"""A file of bytes becomes rows with their line numbers, and rows of one handle become a group. Pure; never holds more
of the file than the rows of a few products, except products whose rows lie scattered."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator
from typing import IO, Any

import msgspec

from livestall.catalog.imports.model import LINES_MAX, BadFile, Fault
from livestall.catalog.imports.text import unguarded
from livestall.catalog.model import AXES_MAX

csv.field_size_limit(64 * 1024 * 1024)  # a long cell is a fault of its line, not the end of the file

NAMES = {
    "handle": ("handle", "url handle"),
    "title": ("title",),
    "body": ("body (html)", "body html", "body", "description"),
    "published": ("published", "published on online store"),
    "status": ("status",),
    "sku": ("variant sku", "sku"),
    "quantity": ("variant inventory qty", "inventory quantity", "variant inventory quantity"),
    "price": ("variant price", "price"),
    "compare": ("variant compare at price", "compare-at price", "compare at price"),
    "picture": ("image src", "product image url", "image url"),
    "position": ("image position",),
    "alt": ("image alt text",),
    "variant_picture": ("variant image", "variant image url"),
}
"""What we call a column → how files head it, older and newer."""

NEEDED = {"handle": "Handle", "title": "Title", "price": "Variant Price"}
GROUP_ROWS_MAX = 2000
SENTINEL = "\x1eend of file\x1e"
_OPTION = re.compile(r"option ?(\d{1,2}) (name|value)")
_COLUMN = {name: column for column, names in NAMES.items() for name in names}


class Row(msgspec.Struct, frozen=True):
    """A record: the line it begins on, its cells by column, and what is wrong with its form."""

    line: int
    cells: dict[str, str]
    faults: list[Fault] = []

    def get(self, column: str) -> str:
        return self.cells.get(column, "").strip()


class Group(msgspec.Struct, frozen=True):
    """All rows of one handle, and how many rows of the file they are."""

    handle: str
    rows: list[Row]
    count: int


class Heading(msgspec.Struct, frozen=True):
    """The columns of a file: index → column, and column → as the file writes it."""

    columns: dict[int, str]
    titles: dict[str, str]
    width: int

    def title(self, column: str) -> str:
        return self.titles.get(column, column)


class Contents(msgspec.Struct, frozen=True):
    """What one look at the whole file told: how many rows, and the handles whose rows lie apart, with their number."""

    heading: Heading
    rows: int
    scattered: dict[str, int]


class Table:
    """A file, opened for reading. Everything it cannot read raises BadFile."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._encoding = _encoding_of(file)
        self._delimiter = _delimiter_of(self._head())
        self.heading = Heading({}, {}, 0)

    def _head(self) -> str:
        self._file.seek(0)
        head = self._file.read(256 * 1024)
        return codecs.getincrementaldecoder(self._encoding)(errors="replace").decode(head)

    def rows(self) -> Iterator[Row]:
        """All rows behind the heading, empty ones left out."""
        self._file.seek(0)
        text = io.TextIOWrapper(self._file, self._encoding, newline="")
        try:
            reader = csv.reader(_with_sentinel(text), delimiter=self._delimiter)
            yield from self._rows(reader)
        finally:
            text.detach()

    def _rows(self, reader: Any) -> Iterator[Row]:
        heading: Heading | None = None
        begins = 1
        for cells in reader:
            line, begins = begins, reader.line_num + 1
            if cells == [SENTINEL]:
                break
            if cells and cells[-1].endswith(SENTINEL):
                raise BadFile("open-quote", line=line)
            if not any(cell.strip() for cell in cells) or (heading is None and cells[0].lower().startswith("sep=")):
                continue
            if heading is None:
                heading = self.heading = heading_of(cells)
                continue
            yield _row(line, cells, heading)

    def look(self) -> Contents:
        """Read all of it once. Raises BadFile, with the line where it can be told."""
        handles: dict[str, int] = {}
        apart: set[str] = set()
        before: str | None = None
        count = 0
        for row in self.rows():
            count += 1
            if count > LINES_MAX:
                raise BadFile("too-many-lines", limit=f"{LINES_MAX:,}")
            handle = row.get("handle")
            if handle and handle != before and handle in handles:
                apart.add(handle)
            handles[handle] = handles.get(handle, 0) + 1
            before = handle
        if not self.heading.width:
            raise BadFile("empty-file")
        if not count:
            raise BadFile("no-products")
        return Contents(self.heading, count, {handle: handles[handle] for handle in apart})

    def groups(self, scattered: dict[str, int]) -> Iterator[Group]:
        """The rows by handle, in the order in which handles are complete: the same at every reading."""
        waiting: dict[str, list[Row]] = {}
        seen: dict[str, int] = {}
        rows: list[Row] = []
        count = 0
        for row in self.rows():
            handle = row.get("handle")
            if rows and (rows[0].get("handle") != handle or not handle):  # lines without a handle belong to nobody
                yield Group(rows[0].get("handle"), rows, count)
                rows, count = [], 0
            if handle not in scattered:
                count += 1
                if count <= GROUP_ROWS_MAX:
                    rows.append(row)
                continue
            kept = waiting.setdefault(handle, [])
            if len(kept) < GROUP_ROWS_MAX:
                kept.append(row)
            seen[handle] = seen.get(handle, 0) + 1
            if seen[handle] == scattered[handle]:
                yield Group(handle, waiting.pop(handle), seen[handle])
        if rows:
            yield Group(rows[0].get("handle"), rows, count)


def _with_sentinel(lines: Iterator[str]) -> Iterator[str]:
    """A last line that tells whether a quotation mark is still open behind the file's own last line."""
    yield from lines
    yield SENTINEL


def _row(line: int, cells: list[str], heading: Heading) -> Row:
    kept = {column: unguarded(cells[at]) for at, column in heading.columns.items() if at < len(cells) and cells[at]}
    faults: list[Fault] = []
    if any(cell.strip() for cell in cells[heading.width :]):
        faults.append(Fault("too-many-cells", {}, line))
    for column, cell in kept.items():
        if "\x00" in cell:
            faults.append(Fault("zero-byte", {}, line, heading.title(column)))
            kept[column] = cell.replace("\x00", "")
    return Row(line, kept, faults)


def heading_of(cells: list[str]) -> Heading:
    """Raises BadFile for columns that are missing or there twice. Columns that we do not know are passed over."""
    columns: dict[int, str] = {}
    titles: dict[str, str] = {}
    for at, cell in enumerate(cells):
        column = column_of(cell)
        if column is None:
            continue
        if column in titles:
            raise BadFile("repeated-column", column=cell.strip()[:100])
        columns[at] = column
        titles[column] = " ".join(cell.split())[:100]
    missing = [title for column, title in NEEDED.items() if column not in titles]
    if missing:
        raise BadFile("missing-columns", columns=", ".join(missing))
    return Heading(columns, titles, len(cells))


def column_of(title: str) -> str | None:
    """What we call the column with this heading; None if we do not read it."""
    name = " ".join(title.casefold().split())
    if option := _OPTION.fullmatch(name):
        number = int(option[1])
        return f"option{number} {option[2]}" if 1 <= number <= AXES_MAX + 10 else None
    return _COLUMN.get(name)


def _encoding_of(file: IO[bytes]) -> str:
    """Raises BadFile for what is no text, and names the first line that is not UTF-8."""
    file.seek(0)
    head = file.read(8192)
    if not head:
        raise BadFile("empty-file")
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return _check(file, "utf-16")
    if head.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise BadFile("workbook")
    if b"\x00" in head.partition(b"\n")[0] or head.count(0) > len(head) // 10:
        raise BadFile("binary-file")
    return _check(file, "utf-8-sig")


def _check(file: IO[bytes], encoding: str) -> str:
    """Decode all of it once; the line at fault is counted in bytes that end lines in either encoding."""
    file.seek(0)
    decoder = codecs.getincrementaldecoder(encoding)()
    line = 1
    while True:
        piece = file.read(256 * 1024)
        try:
            text = decoder.decode(piece, final=not piece)
        except UnicodeDecodeError as error:
            good = error.object[: error.start]
            line += _lines(good.decode(encoding.removesuffix("-sig"), "replace"))
            raise BadFile("not-utf8", line=line) from error
        line += _lines(text)
        if not piece:
            return encoding


def _lines(text: str) -> int:
    return text.count("\n") or text.count("\r")


def _delimiter_of(head: str) -> str:
    """The sign between cells: the one that makes most known columns of the heading."""
    lines = [line for line in head.lstrip("\ufeff").splitlines()[:20] if line.strip()]
    if lines and lines[0].lower().startswith("sep="):
        return lines[0][4:5] if lines[0][4:5] in {",", ";", "\t"} else ","
    first = lines[0][:20_000] if lines else ""
    return max(",;\t", key=lambda sign: _known_columns(first, sign))


def _known_columns(heading: str, sign: str) -> int:
    return sum(column_of(cell) is not None for cell in next(csv.reader([heading], delimiter=sign), []))
