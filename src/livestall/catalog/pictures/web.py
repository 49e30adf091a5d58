"""HTTP of a product's pictures."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Request, Response, delete, post
from litestar.datastructures import UploadFile
from litestar.enums import RequestEncodingType
from litestar.exceptions import HTTPException
from litestar.params import Body, Parameter, QueryParameter
from litestar.status_codes import HTTP_413_REQUEST_ENTITY_TOO_LARGE

from livestall.base.db import Database
from livestall.base.errors import Invalid
from livestall.base.http import Problem, Who, may, on_refusal
from livestall.catalog.model import Picture
from livestall.catalog.pictures import actions
from livestall.catalog.pictures.model import ALT_MAX, BYTES_MAX, PictureTooLarge

FORM_BYTES = 64 * 1024
"""What a form has around its file, at most."""


class PictureUpload(msgspec.Struct):
    """`file` is a JPEG, PNG, WebP or GIF of at most 20 MB, 40 megapixels and 12,000 px a side."""

    file: UploadFile


def on_too_large(request: Request[Any, Any, Any], _error: HTTPException) -> Response[Problem]:
    return on_refusal(request, PictureTooLarge())


def on_bad_form(request: Request[Any, Any, Any], _error: Exception) -> Response[Problem]:
    return on_refusal(request, Invalid(reason="the form holds a text that is not in the characters it names"))


@post(
    "/api/sellers/{seller_id:uuid}/products/{product_id:uuid}/pictures",
    opt=may(Who.seller, "catalog:write"),
    request_max_body_size=BYTES_MAX + FORM_BYTES,
    exception_handlers={
        HTTP_413_REQUEST_ENTITY_TOO_LARGE: on_too_large, UnicodeDecodeError: on_bad_form, LookupError: on_bad_form,
    },
)  # fmt: skip
async def upload_picture(
    db: Database,
    seller_id: UUID,
    product_id: UUID,
    data: Annotated[PictureUpload, Body(media_type=RequestEncodingType.MULTI_PART, multipart_form_part_limit=8)],
    picture_id: Annotated[UUID, QueryParameter(name="id")],
    alt: Annotated[str, Parameter(max_length=ALT_MAX)] = "",
) -> Picture:
    """Add a picture behind the others. `id` is the picture's, made by the client; `alt` says what is to be seen."""
    try:
        contents = await data.file.read()
    finally:
        await data.file.close()
    return await actions.upload(db, seller_id, product_id, picture_id, contents, alt)


@delete(
    "/api/sellers/{seller_id:uuid}/products/{product_id:uuid}/pictures/{picture_id:uuid}",
    opt=may(Who.seller, "catalog:write"),
)
async def delete_picture(db: Database, seller_id: UUID, product_id: UUID, picture_id: UUID) -> None:
    await db.run(lambda tx: actions.delete(tx, seller_id, product_id, picture_id))


ROUTES = [upload_picture, delete_picture]
