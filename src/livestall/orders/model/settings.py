"""The section `orders`."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from livestall.base import config


class Settings(config.Section, frozen=True, kw_only=True):
    hold_seconds: Annotated[int, Meta(ge=30, le=86_400, description="an order waits so long for its payment")] = 900
    flash_hold_seconds: Annotated[
        int, Meta(ge=30, le=86_400, description="an order with a flash sale waits so long for its payment")
    ] = 300
    pay_extension_seconds: Annotated[
        int, Meta(ge=0, le=3600, description="added once to the wait when a payment starts")
    ] = 120
    notice_grace_seconds: Annotated[
        int, Meta(ge=0, le=600, description="after the wait, notices of a started payment get so long to arrive")
    ] = 45
    creator_basis_points: Annotated[
        int, Meta(ge=0, le=8000, description="ten-thousandths of a show's order estimated for the show's creator")
    ] = 1000
    batch_max: Annotated[int, Meta(ge=1, le=2000, description="most orders decided in one transaction")] = 250
    waiting_max: Annotated[
        int, Meta(ge=1, le=1_000_000, description="most claims in line at one lane; who comes then is sent away")
    ] = 50_000
    line_after: Annotated[
        int, Meta(ge=0, le=1_000_000, description="buyers with so many claims before them are told their place at once")
    ] = 1000
    line_patience_seconds: Annotated[
        float, Meta(ge=0, le=60, description="an order by HTTP that waits longer is answered with its place in line")
    ] = 5.0
    same_waiting_max: Annotated[
        int, Meta(ge=1, le=1000, description="claims of one account for one thing that may wait in line at once")
    ] = 2
    claims_per_second: Annotated[
        float, Meta(gt=0, le=1_000_000, description="orders an account may send, sustained")
    ] = 5.0
    claims_burst: Annotated[int, Meta(ge=1, le=1_000_000, description="orders an account may send at once")] = 10
    device_claims_per_second: Annotated[
        float, Meta(gt=0, le=1_000_000, description="orders a device may send, whatever accounts it uses")
    ] = 5.0
    device_claims_burst: Annotated[int, Meta(ge=1, le=1_000_000, description="orders a device may send at once")] = 20
    lanes: Annotated[
        int, Meta(ge=1, le=32, description="connections that decide orders side by side, each its own pools")
    ] = 1
    answer_seconds_max: Annotated[
        int, Meta(ge=1, le=60, description="an order is tried again so long while the database is away")
    ] = 15
