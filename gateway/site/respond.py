"""The one table from what is wrong to the CoAP response code.

No answer carries a diagnostic payload: the reason is for the operator, not for the peer. A peer's fault
is never a 5.xx, and ours always is: clients take a 4.xx for final and may stay away for hours.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from aiocoap.numbers.codes import Code

from gateway.lwm2m.errors import RefusalReason
from gateway.lwm2m.send import SendRefusal
from gateway.messaging.handling import Response, respond
from registry.outcomes import CommitFailure


class Fault(Enum):
    """What can be wrong with a request besides its content."""

    WRONG_METHOD = "method not allowed here"
    NO_RESOURCE = "no such resource"
    OVERLOADED = "more waiting for the disk than the gateway holds"
    STORAGE = "the registry could not be written"


class Answer(NamedTuple):
    """Response code and, for what passes by itself, when to come again."""

    code: Code
    max_age_s: int | None = None


Wrong = RefusalReason | SendRefusal | Fault

ANSWERS: dict[Wrong, Answer] = {
    RefusalReason.MALFORMED: Answer(Code.BAD_REQUEST),
    RefusalReason.OPTION_TOO_LONG: Answer(Code.BAD_OPTION),
    RefusalReason.TOO_LARGE: Answer(Code.REQUEST_ENTITY_TOO_LARGE),
    RefusalReason.UNSUPPORTED_FORMAT: Answer(Code.UNSUPPORTED_CONTENT_FORMAT),
    RefusalReason.NO_NODE_ID: Answer(Code.BAD_REQUEST),
    RefusalReason.UNKNOWN_DEVICE: Answer(Code.FORBIDDEN),
    RefusalReason.FROZEN: Answer(Code.FORBIDDEN),
    RefusalReason.WRONG_SECURITY: Answer(Code.FORBIDDEN),
    RefusalReason.FOREIGN_IDENTITY: Answer(Code.FORBIDDEN),
    RefusalReason.UNSUPPORTED_VERSION: Answer(Code.PRECONDITION_FAILED),
    RefusalReason.LIFETIME_OUT_OF_BOUNDS: Answer(Code.BAD_REQUEST),
    RefusalReason.NO_OBJECT_LIST: Answer(Code.BAD_REQUEST),
    RefusalReason.UNKNOWN_PROFILE: Answer(Code.CONFLICT),
    RefusalReason.UNKNOWN_REGISTRATION: Answer(Code.NOT_FOUND),
    RefusalReason.FOREIGN_PEER: Answer(Code.NOT_FOUND),
    SendRefusal.UNDECODABLE: Answer(Code.BAD_REQUEST),
    SendRefusal.EMPTY: Answer(Code.BAD_REQUEST),
    SendRefusal.NO_VALUE_FORMAT: Answer(Code.UNSUPPORTED_CONTENT_FORMAT),
    SendRefusal.UNREGISTERED_OBJECT: Answer(Code.NOT_FOUND),
    Fault.WRONG_METHOD: Answer(Code.METHOD_NOT_ALLOWED),
    Fault.NO_RESOURCE: Answer(Code.NOT_FOUND),
    Fault.OVERLOADED: Answer(Code.SERVICE_UNAVAILABLE, max_age_s=5),
    Fault.STORAGE: Answer(Code.SERVICE_UNAVAILABLE, max_age_s=30),
}


_ERRORS = {wrong: respond(answer.code, max_age_s=answer.max_age_s) for wrong, answer in ANSWERS.items()}


FAILURES: dict[CommitFailure, RefusalReason | Fault] = {
    CommitFailure.STORAGE: Fault.STORAGE,
    CommitFailure.OVERLOADED: Fault.OVERLOADED,
    CommitFailure.INVALID: RefusalReason.MALFORMED,
}
"What is wrong when a commit failed; one that was overtaken is for each resource to say."


def error_response(wrong: Wrong) -> Response:
    """The response for *wrong*, without payload."""
    return _ERRORS[wrong]
