"""Random requests made from the API's own description: whatever fits the description, or just misses it, no 5xx."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
import schemathesis.specs.openapi.schemas  # now: Python 3.11 may trip over a deep import while other threads compile
from hypothesis import HealthCheck, settings, strategies

from helpers.market import in_thread, seed, serving
from helpers.patience import PATIENCE_SECONDS
from livestall.app.demo.client import Door

EXAMPLES = 4
strategies.from_regex("a").validate()  # imports the rest of it now, for the same reason


@pytest.fixture(scope="module")
def market() -> Iterator[tuple[str, dict[str, str]]]:
    """A served market, and the headers of its operator, who is also a seller and a creator."""
    with serving(accounts__attempts_per_address=1_000_000) as served:

        async def prepare() -> dict[str, str]:
            async with Door(served.base) as door:
                cast = await seed(door, served.first_run_token, products=1)
                return dict(cast.creator.headers)

        yield served.base, in_thread(prepare)


def test_no_request_makes_the_server_fail(market: tuple[str, dict[str, str]]):
    base, headers = market
    schema = schemathesis.openapi.from_url(f"{base}/api/openapi.json")
    failed: list[str] = []
    asked = 0

    def ask(case: Any) -> None:
        nonlocal asked
        asked += 1
        answer = case.call(base_url=base, headers=headers, timeout=PATIENCE_SECONDS)
        if answer.status_code >= 500:
            failed.append(
                f"{case.method} {case.formatted_path} {case.query} {str(case.body)[:300]} → {answer.text[:300]}"
            )

    for operation in schema.get_all_operations():
        found = operation.ok()
        if found.path == "/api/sign-out":
            continue
        bounded = settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        )
        schemathesis_test = bounded(_given(found.as_strategy(), ask))
        try:
            schemathesis_test()
        except SystemError:  # CPython 3.11 trips over its own parser when threads use it at the same time
            schemathesis_test()
    assert asked > 100
    assert failed == []


def _given(strategy: Any, ask: Any) -> Any:
    from hypothesis import given

    @given(case=strategy)
    def run(case: Any) -> None:
        ask(case)

    return run
