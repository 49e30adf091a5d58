"""HTTP of imports and of the export. What only others know (the market's currency, what is on hand) is handed in."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Request, Response, get, post
from litestar.datastructures import UploadFile
from litestar.enums import RequestEncodingType
from litestar.exceptions import HTTPException
from litestar.params import Body, Parameter, QueryParameter
from litestar.response import Stream
from litestar.status_codes import HTTP_413_REQUEST_ENTITY_TOO_LARGE
from litestar.types import ControllerRouterHandler

from livestall import storage
from livestall.base.db import Database, Read
from livestall.base.errors import Invalid
from livestall.base.http import Page, Problem, Who, cursor_of, locale_of, may, on_refusal, read_cursor
from livestall.catalog.imports import actions, export, store
from livestall.catalog.imports.model import MEGABYTES_MAX, Import, NoSuchImport
from livestall.catalog.model import FileTooLarge

BYTES_MAX = MEGABYTES_MAX * 1024 * 1024
FORM_BYTES = 64 * 1024
"""What a form has around its file, at most."""

IMPORTS = 20

AnyRequest = Request[Any, Any, Any]
Cursor = Annotated[str | None, Parameter(max_length=500)]


class ImportUpload(msgspec.Struct):
    """`file` is a CSV file in the Shopify product format, of at most 50 MB."""

    file: UploadFile


def on_too_large(request: AnyRequest, _error: HTTPException) -> Response[Problem]:
    return on_refusal(request, FileTooLarge(megabytes=MEGABYTES_MAX))


def on_bad_form(request: AnyRequest, _error: Exception) -> Response[Problem]:
    return on_refusal(request, Invalid(reason="the form holds a text that is not in the characters it names"))


@get("/api/sellers/{seller_id:uuid}/imports/{import_id:uuid}", opt=may(Who.seller, "catalog:write"))
async def find_import(request: AnyRequest, db: Database, seller_id: UUID, import_id: UUID) -> Import:
    """How far the import is, and what is wrong with which line."""
    async with db.read() as read:
        found = await store.find(read, seller_id, import_id, locale_of(request))
    if found is None:
        raise NoSuchImport
    return found


@get("/api/sellers/{seller_id:uuid}/imports", opt=may(Who.seller, "catalog:write"))
async def imports_of_seller(
    request: AnyRequest, db: Database, seller_id: UUID, cursor: Cursor = None
) -> Page[Import]:  # fmt: skip
    """The newest first; of each the first ten errors."""
    after: UUID | None = read_cursor(cursor, (UUID,))[0] if cursor else None
    async with db.read() as read:
        found = await store.page(read, seller_id, after=after, limit=IMPORTS + 1, locale=locale_of(request))
    return Page(found[:IMPORTS], cursor_of(found[IMPORTS - 1].id) if len(found) > IMPORTS else None)


def routes(
    currency: Callable[[Read], Awaitable[str]], on_hand: export.OnHand, address: Callable[[AnyRequest], Awaitable[str]]
) -> Sequence[ControllerRouterHandler]:
    """The endpoints, over the market's currency, what is on hand, and the market's address as the asker reaches it."""

    @post(
        "/api/sellers/{seller_id:uuid}/imports",
        opt=may(Who.seller, "catalog:write"),
        status_code=202,
        request_max_body_size=BYTES_MAX + FORM_BYTES,
        exception_handlers={
            HTTP_413_REQUEST_ENTITY_TOO_LARGE: on_too_large, UnicodeDecodeError: on_bad_form, LookupError: on_bad_form,
        },
    )  # fmt: skip
    async def import_products(
        request: AnyRequest,
        db: Database,
        seller_id: UUID,
        data: Annotated[ImportUpload, Body(media_type=RequestEncodingType.MULTI_PART, multipart_form_part_limit=8)],
        import_id: Annotated[UUID, QueryParameter(name="id")],
    ) -> Import:
        """Take a file; it is read at once, in the background. `id` is the import's, made by the client."""
        try:
            contents = await data.file.read()
        finally:
            await data.file.close()
        if len(contents) > BYTES_MAX:
            raise FileTooLarge(megabytes=MEGABYTES_MAX)
        file = await storage.put(contents, "csv")
        digest = hashlib.sha256(contents).digest()
        async with db.write() as tx:
            await actions.begin(tx, seller_id, import_id, digest=digest, file=file, currency=await currency(tx))
            found = await store.find(tx, seller_id, import_id, locale_of(request))
        assert found is not None
        return found

    @get("/api/sellers/{seller_id:uuid}/products.csv", opt=may(Who.seller, "catalog:write"), media_type="text/csv")
    async def export_products(request: AnyRequest, db: Database, seller_id: UUID) -> Stream:
        """All products of the seller as a file that the import reads."""
        headers = {"Content-Disposition": 'attachment; filename="products.csv"', "Cache-Control": "no-store"}
        return Stream(
            export.lines(db, seller_id, await address(request), on_hand), media_type="text/csv; charset=utf-8",
            headers=headers,
        )  # fmt: skip

    return [import_products, find_import, imports_of_seller, export_products]
