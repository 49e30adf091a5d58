"""The hosted page of the sandbox provider: plain HTML that works without scripts, in English and Chinese.

Nothing comes from elsewhere, the policy forbids it, and the page says in words and colour that no money moves.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from html import escape
from urllib.parse import urlsplit

import msgspec
from litestar import MediaType, Response

from livestall.base.money import MINOR_DIGITS
from livestall.payments.backends.sandbox.model import CARDS, Behaviour, Stored

PAID = frozenset({"authorised", "captured"})
SYMBOLS = {"CNY": "¥", "EUR": "€", "GBP": "£", "HKD": "HK$", "JPY": "¥", "KRW": "₩", "SGD": "S$", "TWD": "NT$",
           "USD": "$", "VND": "₫"}  # fmt: skip

WORDS: Mapping[str, tuple[str, str]] = {
    "title": ("Pay {amount} to {merchant}", "向 {merchant} 支付 {amount}"),
    "test": (
        "Test payment. No real money moves; real cards are turned away.",
        "测试支付：不会产生真实扣款，也不接受真实银行卡。",
    ),
    "provider": ("Sandbox Pay", "沙盒支付"),
    "to": ("to {merchant}", "收款方：{merchant}"),
    "left": ("Time left to pay", "剩余支付时间"),
    "number": ("Card number", "卡号"),
    "expiry": ("Expires (MM/YY)", "有效期（月/年）"),
    "cvc": ("Security code", "安全码"),
    "pay": ("Pay {amount}", "支付 {amount}"),
    "paying": ("Paying…", "支付中…"),
    "back": ("Back without paying", "不支付，返回"),
    "return": ("Back to {merchant}", "返回 {merchant}"),
    "cards": ("Test cards", "测试卡"),
    "tap": ("Tap one to fill in the form.", "点击任意一张即可自动填写。"),
    "other": ("中文", "English"),
    "bad-number": ("Check the card number: a digit is missing or wrong.", "卡号有误，请检查是否漏填或填错。"),
    "no-test-card": (
        "This is a test provider: use one of the test cards below, not a real card.",
        "这是测试支付：请使用下方的测试卡，不要使用真实银行卡。",
    ),
    "bad-expiry": ("Write month and year, like 08/29.", "请填写月份和年份，例如 08/29。"),
    "card-expired": ("The card is past this date. Use another one.", "该卡已过有效期，请换一张卡。"),
    "bad-cvc": ("3 or 4 digits, on the back of the card.", "卡背面的 3 或 4 位数字。"),
    "declined": (
        "The bank declined the card. Nothing was charged; try another one.",
        "银行拒绝了这张卡，未产生扣款，请换一张卡再试。",
    ),
    "insufficient-funds": (
        "There is not enough money on this card. Nothing was charged; try another one.",
        "卡内余额不足，未产生扣款，请换一张卡再试。",
    ),
    "paid": ("Paid", "支付成功"),
    "paid-text": ("The money is set aside for your order.", "款项已为您的订单冻结。"),
    "expired": ("The time to pay is over", "支付已超时"),
    "voided": ("This payment was called off", "该支付已取消"),
    "failed": ("The payment did not work", "支付未成功"),
    "nothing": (
        "Nothing was charged. Go back and order again if it is still there.",
        "未产生扣款，如仍有货请返回重新下单。",
    ),
    "unknown": ("There is no such payment", "没有这笔支付"),
    "unknown-text": (
        "Check the address, or go back to the shop and start again.",
        "请检查网址，或返回店铺重新发起支付。",
    ),
    "card-ok": ("pays", "支付成功"),
    "card-declined": ("is declined", "被拒绝"),
    "card-insufficient-funds": ("has too little money", "余额不足"),
    "card-notice-twice": ("pays; the shop is told twice", "支付成功，商家收到两次通知"),
    "card-notice-late": ("pays; the shop is told 30 s later", "支付成功，30 秒后通知商家"),
    "card-notice-never": ("pays; the shop must find out itself", "支付成功，不通知商家"),
    "card-capture-refused": ("is set aside, but cannot be taken", "预授权成功，但扣款失败"),
}  # fmt: skip


class Shown(msgspec.Struct, frozen=True):
    """A session on the page: in which language, with which token for the next click, and when."""

    session: Stored
    locale: str
    token: str
    now: datetime

    def say(self, key: str) -> str:
        """Escaped words of the page."""
        template = WORDS[key][self.locale == "zh"]
        return escape(template.format(amount=amount_of(self.session), merchant=self.session.merchant))


def amount_of(session: Stored) -> str:
    """The amount as a person reads it: ¥59.90."""
    digits = MINOR_DIGITS[session.currency]
    return f"{SYMBOLS[session.currency]}{session.amount / 10**digits:,.{digits}f}"


def is_test_number(text: str) -> bool:
    return text in CARDS


def answer(shown: Shown, *, values: Mapping[str, str], wrong: Mapping[str, str] | None = None) -> Response[str]:
    """The page for where the session stands; 422 when the form was wrong, 402 when the card was refused."""
    session = shown.session
    if session.status != "open":
        return _document(shown, _settled(shown), 200 if session.status in PAID else 410)
    status = 422 if wrong else 200
    return _document(shown, _form(shown, values, wrong or {}), status)


def go_back(session: Stored) -> Response[str]:
    return Response("", status_code=303, headers={"location": session.return_url, "cache-control": "no-store"})


def unknown(locale: str) -> Response[str]:
    title, text = (escape(WORDS[key][locale == "zh"]) for key in ("unknown", "unknown-text"))
    body = f'<main class="pay"><h1>{title}</h1><p>{text}</p></main>'
    return _html(locale, title, body, 404, "'self'")


def _document(shown: Shown, inner: str, status: int) -> Response[str]:
    session = shown.session
    other = "en" if shown.locale == "zh" else "zh"
    body = f"""<aside class="test">{shown.say("test")}</aside>
<main class="pay">
<header><span class="provider">{shown.say("provider")}</span>
<a class="language" lang="{other}" href="?lang={other}">{shown.say("other")}</a></header>
<section class="sum" aria-labelledby="amount"><h1 id="amount" class="amount">{escape(amount_of(session))}
<small>{escape(session.currency)}</small></h1><p class="merchant">{shown.say("to")}</p>
<p class="what">{escape(session.title)}</p></section>
{inner}</main>"""
    back = urlsplit(session.return_url)
    return _html(shown.locale, shown.say("title"), body, status, f"'self' {back.scheme}://{back.netloc}")


def _form(shown: Shown, values: Mapping[str, str], wrong: Mapping[str, str]) -> str:
    session = shown.session
    left = max(0, int((session.expires_at - shown.now).total_seconds()))
    refusal = session.refusal if session.refusal in WORDS and not wrong else None
    alert = f'<p class="alert" role="alert">{shown.say(refusal)}</p>' if refusal else ""
    test_number = values.get("number", "")
    filled = {"number": test_number, "expiry": "12/34", "cvc": "123"} if test_number else values
    fields = "".join(
        _field(shown, name, filled.get(name, ""), wrong.get(name), extra)
        for name, extra in (
            ("number", 'inputmode="numeric" autocomplete="cc-number" maxlength="23" placeholder="4242 4242 4242 4242"'),
            ("expiry", 'inputmode="numeric" autocomplete="cc-exp" maxlength="7" placeholder="12/34"'),
            ("cvc", 'inputmode="numeric" autocomplete="cc-csc" maxlength="4" placeholder="123"'),
        )
    )
    return f"""<p class="left"><span>{shown.say("left")}</span>
<time id="left" role="timer" data-seconds="{left}">{left // 60}:{left % 60:02d}</time></p>
{alert}<form method="post" action="?lang={shown.locale}" novalidate>
<input type="hidden" name="token" value="{escape(shown.token)}">
<div class="fields">{fields}</div>
<button type="submit" class="go" data-busy="{shown.say("paying")}">{shown.say("pay")}</button></form>
<a class="back" href="{escape(session.return_url)}">{shown.say("back")}</a>
<section class="cards" aria-labelledby="cards"><h2 id="cards">{shown.say("cards")}</h2><p>{shown.say("tap")}</p>
<ul>{"".join(_card(shown, number, behaviour) for number, behaviour in CARDS.items())}</ul></section>
<script src="/sandbox/assets/pay.js" defer></script>"""


def _field(shown: Shown, name: str, value: str, wrong: str | None, extra: str) -> str:
    state = f' aria-invalid="true" aria-describedby="{name}-wrong"' if wrong else ""
    message = f'<p class="wrong" id="{name}-wrong">{shown.say(wrong)}</p>' if wrong else ""
    focus = " autofocus" if wrong and name == "number" else ""
    return f"""<div class="field {name}"><label for="{name}">{shown.say(name)}</label>
<input id="{name}" name="{name}" type="text" required {extra} value="{escape(value)}"{state}{focus}>{message}</div>"""


def _card(shown: Shown, number: str, behaviour: Behaviour) -> str:
    spaced = " ".join(number[n : n + 4] for n in range(0, 16, 4))
    return f"""<li><a href="?lang={shown.locale}&amp;card={number}" data-card="{spaced}">
<span class="digits">{spaced}</span> <span class="does">{shown.say(f"card-{behaviour}")}</span></a></li>"""


def _settled(shown: Shown) -> str:
    session = shown.session
    paid = session.status in PAID
    title, text = ("paid", "paid-text") if paid else (session.status, "nothing")
    mark = "✓" if paid else "×"
    return f"""<section class="settled {"paid" if paid else "not-paid"}">
<span class="mark" aria-hidden="true">{mark}</span>
<h2>{shown.say(title)}</h2><p>{shown.say(text)}</p>
<a class="go" href="{escape(session.return_url)}">{shown.say("return")}</a></section>"""


def _html(locale: str, title: str, body: str, status: int, form_action: str) -> Response[str]:
    text = f"""<!doctype html>
<html lang="{"zh-CN" if locale == "zh" else "en"}"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="robots" content="noindex">
<meta name="color-scheme" content="light dark"><title>{title}</title>
<link rel="icon" href="data:,"><link rel="stylesheet" href="/sandbox/assets/pay.css"></head>
<body>{body}</body></html>"""
    policy = (
        f"default-src 'none'; style-src 'self'; script-src 'self'; img-src data:; form-action {form_action}; "
        "base-uri 'none'; frame-ancestors 'none'"
    )
    return Response(
        text,
        status_code=status,
        media_type=MediaType.HTML,
        headers={
            "content-security-policy": policy,
            "cache-control": "no-store",
            "referrer-policy": "same-origin",
            "x-content-type-options": "nosniff",
        },
    )
