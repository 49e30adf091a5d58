"""Text from a table to a page and back: HTML made plain, cells that no spreadsheet takes for a formula."""

from __future__ import annotations

import html
import re

_TAG = re.compile(r"</?([a-zA-Z][a-zA-Z0-9:-]*)")
_MARK = re.compile(r"[>\"']")
_SPACE = re.compile(r"[^\S\n]*\n[^\S\n]*|\s+")
_NO_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_FORMULA = re.compile(r"'*[=+\-@\t\r＝＋－＠]")

SILENT = frozenset({"script", "style", "template", "iframe", "noscript", "object", "svg", "math", "title", "textarea"})
"""Elements whose contents nobody reads."""

BREAKS = frozenset({"br", "hr", "tr", "dt", "dd", "div", "section", "article", "header", "footer", "table"})
PARAGRAPHS = frozenset({"p", "ul", "ol", "dl", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "pre"})


def plain(markup: str) -> str:
    """HTML as plain text: tags, comments, scripts and styles are gone, entities are the signs they stand for.

    Text without tags keeps its lines. Takes time in proportion to the length, whatever is written.
    """
    markup = _NO_TEXT.sub("", markup.replace("\r\n", "\n").replace("\r", "\n"))
    pieces = _pieces(markup)
    if pieces is None:
        return html.unescape(markup).strip()
    lines = [re.sub(r"[^\S\n]+", " ", line).strip() for line in "".join(pieces).split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def _pieces(markup: str) -> list[str] | None:
    """The words between the tags; None if there is no tag."""
    pieces: list[str] = []
    scan = _Scan(markup)
    start = at = 0
    tags = False
    while (at := markup.find("<", at)) >= 0:
        if markup.startswith(("<!", "<?"), at):
            name, end = "", scan.end_of_comment(at)
        elif match := _TAG.match(markup, at):
            name, end = match[1].lower(), scan.end_of_tag(match.end())
            if name in SILENT and markup[at + 1] != "/":
                end = scan.end_of_element(name, end)
        else:
            at += 1
            continue
        tags = True
        pieces += _words(markup[start:at]), _gap(name, closing=markup.startswith("</", at))
        start = at = end
    return [*pieces, _words(markup[start:])] if tags else None


def _words(text: str) -> str:
    return html.unescape(_SPACE.sub(" ", text))


def _gap(name: str, *, closing: bool) -> str:
    if name in PARAGRAPHS:
        return "\n\n"
    if name == "li":
        return "" if closing else "\n• "
    if name in {"td", "th"}:
        return " "
    return "\n" if name in BREAKS else ""


class _Scan:
    """Finds where things end. What was not found once is never looked for again, so that the work stays linear."""

    def __init__(self, markup: str) -> None:
        self._markup = markup
        self._absent: set[str] = set()

    def _after(self, what: str, start: int) -> int:
        if what in self._absent:
            return -1
        found = self._markup.find(what, start)
        if found < 0:
            self._absent.add(what)
            return -1
        return found + len(what)

    def end_of_comment(self, at: int) -> int:
        end = self._after("-->", at + 4) if self._markup.startswith("<!--", at) else self._after(">", at)
        return end if end >= 0 else len(self._markup)

    def end_of_tag(self, at: int) -> int:
        """Behind the ">" that closes the tag, which is not one in quotation marks; the end if there is none."""
        while mark := _MARK.search(self._markup, at):
            at = mark.end()
            if mark[0] == ">":
                return at
            closed = self._after(mark[0], at)
            at = closed if closed >= 0 else at
        return len(self._markup)

    def end_of_element(self, name: str, at: int) -> int:
        if name in self._absent:
            return len(self._markup)
        closing = re.compile(f"</{name}", re.IGNORECASE).search(self._markup, at)
        if closing is None:
            self._absent.add(name)
            return len(self._markup)
        return self.end_of_tag(closing.end())


def markup_of(text: str) -> str:
    """Plain text as HTML that `plain` reads back."""
    return html.escape(text, quote=False)


def line(text: str) -> str:
    """Text on one line: no control signs, no breaks."""
    return " ".join(_NO_TEXT.sub("", text).split())


def guarded(cell: str) -> str:
    """A cell that a spreadsheet shows and never computes."""
    return f"'{cell}" if _FORMULA.match(cell) else cell


def unguarded(cell: str) -> str:
    """What `guarded` was given."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell
