"""Checks that schemathesis runs on every response, besides its own. Loaded through SCHEMATHESIS_HOOKS."""

import schemathesis

FIELDS = {"code", "message", "details", "request_id"}
FIRST_ERROR = 400


@schemathesis.check
def error_shape(_context: schemathesis.CheckContext, response: schemathesis.Response, _case: schemathesis.Case) -> None:
    """Every error has the one shape, and names the request as its header does."""
    if response.status_code < FIRST_ERROR or response.request.method == "HEAD":
        return
    body = response.json()
    if not isinstance(body, dict) or body.keys() != {"error"} or body["error"].keys() != FIELDS:
        raise AssertionError(f"An error without the shape of errors: {str(body)[:200]}")
    sent = response.headers.get("x-request-id", [""])[0]
    if body["error"]["request_id"] != sent:
        raise AssertionError(f"The error names the request {body['error']['request_id']}, its header {sent}.")
