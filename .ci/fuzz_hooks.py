"""What .ci/fuzz adds to schemathesis: orders of a book that is there.

A random UUID is never a product's, and every order would end at 404.
"""
import os
import uuid

import schemathesis

BOOK = os.environ["BOOK"]


def is_uuid(text):
    try:
        return isinstance(text, str) and bool(uuid.UUID(text))
    except ValueError:
        return False


@schemathesis.hook
def map_body(context, body):
    """Three of four well-formed orders are for the book. All else stays as it is."""
    if isinstance(body, dict) and is_uuid(body.get("product_id")) and uuid.UUID(body["product_id"]).int % 4:
        return {**body, "product_id": BOOK}
    return body


# What a well-formed request may still be refused for: not its form, but what is there, or what others do.
REASONS = {
    400: {"Out of stock"},
    404: {"Product not found"},
    409: {
        "Other buyers were faster. Try again",
        "A request with this Idempotency-Key is being worked on. Try again",
    },
    422: {
        "This Idempotency-Key was used for another request",
        "This product can't be sold by this strategy",
        "there is no order with this id",
    },
}


@schemathesis.check
def a_right_request_is_refused_for_a_reason(context, response, case):
    """The other half of positive_data_acceptance: which 4xx are fine is in fuzz.toml, which words are here."""
    if case.meta is None or not case.meta.generation.mode.is_positive or response.status_code not in REASONS:
        return
    problem = response.json() if response.content else None
    if problem is None:
        return  # HEAD
    reasons = {problem["detail"], *(error["msg"] for error in problem.get("errors", []))}
    if not reasons & REASONS[response.status_code]:
        raise AssertionError(f"well-formed, and refused: {problem}")
