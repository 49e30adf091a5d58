"""What may stand in a file, and the sentence for what may not. No database: bytes in, products and faults out."""

from __future__ import annotations

import io
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from livestall.catalog.imports import text
from livestall.catalog.imports.goods import Goods, Shaper
from livestall.catalog.imports.jobs import is_picture
from livestall.catalog.imports.model import SENTENCES, VARIANTS_MAX, BadFile, Fault, sentence
from livestall.catalog.imports.reader import Table
from livestall.catalog.model import ProductState

HEAD = "Handle,Title,Option1 Name,Option1 Value,Variant SKU,Variant Inventory Qty,Variant Price,Image Src\n"


def read(data: str | bytes, currency: str = "CNY") -> tuple[list[Goods], list[Fault]]:
    table = Table(io.BytesIO(data.encode() if isinstance(data, str) else data))
    contents = table.look()
    shaper = Shaper(contents.heading, currency, is_picture)
    shaped = [shaper.shape(group) for group in table.groups(contents.scattered)]
    return [goods for goods, _ in shaped if goods], [fault for _, faults in shaped for fault in faults]


def refused(data: str | bytes) -> Fault:
    with pytest.raises(BadFile) as caught:
        read(data)
    return caught.value.fault


TEA = "tea,茶 Tea,,,T,5,12.50,\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize(("sign", "newline"), [(",", "\n"), (";", "\r\n"), ("\t", "\r")])
def test_files_of_many_programs_are_read(encoding: str, sign: str, newline: str) -> None:
    file = (HEAD + TEA).replace(",", sign).replace("\n", newline)
    (tea,), faults = read(file.encode(encoding))
    assert (tea.title, tea.variants[0].price, tea.variants[0].quantity, faults) == ("茶 Tea", 1250, 5, [])


def test_newer_names_of_columns_are_known_in_any_case() -> None:
    newer = "TITLE,URL handle,Description,SKU,Price,Compare-at price,Inventory quantity,Product image URL,Status\n"
    (cup,), faults = read(newer + "Cup,cup,Fine &amp; thin,C,10,12,3,https://a.example/c.png,Draft\n")
    assert (cup.handle, cup.description, cup.state, faults) == ("cup", "Fine & thin", ProductState.draft, [])
    assert (cup.variants[0].sku, cup.variants[0].compare_at, cup.pictures[0].url) == (
        "C", 1200, "https://a.example/c.png",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("data", "code", "words"),
    [
        (b"", "empty-file", "empty"),
        (b"\n\n \n", "empty-file", "empty"),
        (HEAD.encode(), "no-products", "no products"),
        (b"Title,Vendor\nTea,x\n", "missing-columns", "Handle, Variant Price"),
        (b"just words\n", "missing-columns", "Handle, Title, Variant Price"),
        (HEAD.encode() + b"a,b,,,,,1,\ncup,\xb2\xe8\xb1\xad,,,,,1,\n", "not-utf8", "Line 3 is not UTF-8"),
        (HEAD.encode() + "café,Tasse".encode("latin-1"), "not-utf8", "Line 2 is not UTF-8"),
        (b"PK\x03\x04" + bytes(500), "workbook", "CSV UTF-8"),
        (bytes(range(256)) * 40, "binary-file", "not a text file"),
        ((HEAD + TEA).encode("utf-16-le"), "binary-file", "CSV UTF-8"),
        (HEAD.encode() + b'a,"b,,,,,1,\nc,d,,,,,1,\n', "open-quote", "line 2"),
        (b"Handle,Title,Price,Variant Price\na,b,1,1\n", "repeated-column", "Variant Price"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(data: bytes, code: str, words: str) -> None:
    fault = refused(data)
    assert fault.code == code
    assert words in sentence(fault, "en")
    assert sentence(fault, "zh") != sentence(fault, "en")


@pytest.mark.parametrize(
    "price", ["", "free", "-1", "12,50", "1.999", "1e3", "￥5", "99999999999999", "١٢", "NaN", "0x1"]
)
def test_broken_prices_are_named_not_guessed(price: str) -> None:
    goods, (fault,) = read(HEAD + TEA + f'cup,Cup,,,,5,"{price}",\n')
    assert [one.handle for one in goods] == ["tea"]
    assert (fault.code, fault.line, fault.column, fault.value) == (
        "bad-price" if price else "no-price", 3, "Variant Price", price,
    )  # fmt: skip


@pytest.mark.parametrize(("price", "amount"), [("1,299.00", 129900), ("0", 0), (" 12.5 ", 1250), ("7.500", 750)])
def test_prices_as_people_write_them(price: str, amount: int) -> None:
    assert read(HEAD + f'cup,Cup,,,,,"{price}",\n')[0][0].variants[0].price == amount


def test_what_costs_nothing_comes_as_a_draft_and_its_line_is_named() -> None:
    """It could not be ordered, and an active product without a price is refused by hand as well."""
    (cup,), (note,) = read(HEAD + "cup,Cup,,,,5,0.00,\n")
    assert (cup.state, note.code, note.line, note.column) == (ProductState.draft, "asks-nothing", 2, "Variant Price")


@pytest.mark.parametrize("quantity", ["-1", "1.5", "1000000001", "9" * 40, "many", "1 000"])
def test_broken_quantities_are_named(quantity: str) -> None:
    goods, (fault,) = read(HEAD + f"cup,Cup,,,,{quantity},1,\n")
    assert (goods, fault.code, fault.line, fault.value) == ([], "bad-quantity", 2, quantity[:100])


def test_lines_are_counted_as_in_the_file_across_quoted_line_breaks() -> None:
    file = HEAD + '\na,"A\r\nB\nC",,,,,1,\n\nb,B,,,,,x,\n'
    (only,), (fault,) = read(file)
    assert (only.line, only.title, fault.line) == (3, "A B C", 7)


@pytest.mark.parametrize(
    ("rows", "line", "code"),
    [
        ("a,A,Size,S,X,,1,\na,,,M,X,,1,\n", 3, "repeated-sku"),
        ("a,A,Size,S,,,1,\na,,,S,,,1,\n", 3, "repeated-variant"),
        ("a,A,,,,,1,\na,,,,,,2,\n", 3, "repeated-variant"),
        ("a,A,Size,S,,,1,\na,,,,,,2,\n", 3, "no-option-value"),
        ("a,A,,S,,,1,\n", 2, "no-option-name"),
        (",A,,,,,1,\n", 2, "no-handle"),
        ("a,,,,,,1,\n", 2, "no-title"),
        (f"a,{'x' * 256},,,,,1,\n", 2, "too-long"),
        (f"a,A,Size,{'x' * 101},,,1,\n", 2, "too-long"),
        ("a,A\x00B,,,,,1,\n", 2, "zero-byte"),
        ("a,A,,,,,1,,more\n", 2, "too-many-cells"),
        ("a,A,,,,,,https://a.example/b.jpg\n", 2, "no-variant"),
    ],
)
def test_a_bad_product_fails_whole_and_its_neighbour_does_not(rows: str, line: int, code: str) -> None:
    goods, faults = read(HEAD + rows + TEA)
    assert [one.handle for one in goods] == ["tea"]
    assert [(fault.line, fault.code) for fault in faults] == [(line, code)]


def test_too_many_variants_and_options() -> None:
    rows = [f"a,A,Size,{n},,,1,\n" for n in range(VARIANTS_MAX + 1)]
    assert read(HEAD + "".join(rows[:-1]))[1] == []
    goods, (fault,) = read(HEAD + "".join(rows))
    assert (goods, fault.code, fault.line) == ([], "too-many-variants", VARIANTS_MAX + 2)
    _, (fault,) = read("Handle,Title,Price,Option11 Name,Option11 Value\na,A,1,Smell,Rose\n")
    assert (fault.code, fault.column) == ("too-many-options", "Option11 Name")


def test_rows_that_lie_apart_are_one_product() -> None:
    (tea, scarf), faults = read(HEAD + "s,Scarf,Colour,Red,,,1,\n" + TEA + "s,,,Blue,,,1,\n")
    assert (tea.handle, [one.choice for one in scarf.variants], faults) == ("tea", [("Red",), ("Blue",)], [])


def test_a_cell_of_ten_megabytes_is_a_fault_of_its_line() -> None:
    started = time.process_time()
    goods, (fault,) = read(HEAD + 'a,"' + "x\n" * 5_000_000 + '",,,,,1,\n' + TEA)
    assert [one.handle for one in goods] == ["tea"]
    assert (fault.code, fault.line, len(fault.value)) == ("too-long", 2, 100)
    assert time.process_time() - started < 20


def test_a_bad_picture_address_is_left_out_and_said() -> None:
    (cup,), (fault,) = read(HEAD + "cup,Cup,,,,,1,javascript:alert(1)\n")
    assert (cup.pictures, fault.code) == ([], "bad-picture-address")


@pytest.mark.parametrize(
    ("markup", "words"),
    [
        ("a < b & c", "a < b & c"),
        ("<p>One</p><p>Two &lt;3</p>", "One\n\nTwo <3"),
        ("<script>x='<b>'</script><STYLE>p{}</sTyLe >safe<!-- no -->", "safe"),
        ("<ul><li>a<li>b</ul>", "• a\n• b"),
        ('<img alt="a > b" onerror=x>ok', "ok"),
        ("before<script>never closed", "before"),
        ("two\nlines", "two\nlines"),
    ],
)
def test_markup_becomes_plain_text(markup: str, words: str) -> None:
    assert text.plain(markup) == words


@pytest.mark.parametrize("piece", ["<", "<!--", '<a "', "<a '\"", "<script>", "</script", "<p>", "&#", " \n", "<a "])
def test_no_markup_is_slow(piece: str) -> None:
    started = time.process_time()
    text.plain(piece * (400_000 // len(piece)))
    assert time.process_time() - started < 10, "what looks back at every step would take minutes"


@pytest.mark.parametrize("cell", ["=1", "+1", "-1", "@x", "'=1", "''=1", "plain", "'quoted'", "", "＝1"])
def test_a_guarded_cell_is_no_formula_and_comes_back(cell: str) -> None:
    guarded = text.guarded(cell)
    assert not guarded.startswith(("=", "+", "-", "@", "＝"))
    assert text.unguarded(guarded) == cell


def test_a_hundred_thousand_lines_are_streamed(tmp_path: Path) -> None:
    """Half a minute is far above what it takes; the memory is what a few products need, not what the file does."""
    path = tmp_path / "many.csv"
    with path.open("w") as file:
        file.write(HEAD)
        for n in range(50_000):
            file.write(f"p{n},{'Product ' * 20}{n},Size,S,S{n},5,19.90,\np{n},,,M,M{n},7,21.90,\n")

    def count(table: Table) -> Iterator[int]:
        contents = table.look()
        shaper = Shaper(contents.heading, "CNY", is_picture)
        for group in table.groups(contents.scattered):
            yield len(shaper.shape(group)[0].variants)  # type: ignore[union-attr]

    with path.open("rb") as file:
        assert sum(count(Table(file))) == 100_000
    tracemalloc.start()
    with path.open("rb") as file:
        groups = Table(file).groups({})
        assert sum(group.count for group, _ in zip(groups, range(5000), strict=False)) == 10_000
        peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * 1024 * 1024


def test_every_sentence_can_be_said_in_both_languages() -> None:
    class Anything(dict[str, str]):
        def __missing__(self, key: str) -> str:
            return key

    for en, zh in SENTENCES.values():
        assert en.format_map(Anything()) != zh.format_map(Anything())
