"""Whether documents can be time-stamped: a round trip of RFC 3161, with every proof that a stamp has to give.

`probes/protocols/stamps.py` says why no strict client reads the stamps.
"""

from __future__ import annotations

import os
from datetime import datetime
from typing import Annotated

from pydantic import Field

from probes import metrics
from probes.model import Seconds, Settings, WebUrl
from probes.ports import Kind, Net
from probes.protocols import stamps, web
from probes.protocols.signatures import PemCertificate, Untrusted, load
from probes.results import Beat, Reading, Reason, Result

DEADLINE_S = 180.0
"""An authority in use was measured at 2 s to 131 s for a stamp; its own clients wait so long."""
MAX_SKEW_S = 60.0
MAX_ANSWER_BYTES = 32 << 10
"""Stamps weigh 2 to 10 KB; reading 32 KB of the worst that can be sent takes 50 ms."""
FAILED = frozenset({"system_failure", "time_not_available"})
"""PKIFailureInfo that speaks of the authority, not of the request (RFC 3161 2.4.2)."""


class TsaSettings(Settings):
    """A time-stamping service (RFC 3161): one stamp is asked for, and all that it has to prove is checked."""

    url: WebUrl = Field(examples=["http://tsa.example/"])
    """Where the service takes requests."""
    ca: PemCertificate | None = Field(None, examples=["-----BEGIN CERTIFICATE-----\n…\n-----END CERTIFICATE-----\n"])
    """The authority that the stamps' signer must come from, in PEM form; without it any signer will do."""
    timeout_s: Annotated[float, Field(gt=0, le=DEADLINE_S)] = 150
    """How long a stamp may take, at most three minutes; after that the service counts as not answering."""
    slow_s: Seconds = 10
    """A stamp that took longer counts as slow."""
    verify_tls: bool = True
    """Whether the server's certificate must be valid, where `url` is https."""


async def check(settings: TsaSettings, net: Net, beat: Beat) -> Result:  # noqa: ARG001  # every kind takes a beat
    """One stamp over random bytes."""
    exchanges = web.Exchanges(net)
    question = stamps.Question(os.urandom(32), int.from_bytes(os.urandom(8), "big"))
    asked = web.Asked(
        settings.url,
        method="POST",
        headers={"Content-Type": "application/timestamp-query", "Accept": "application/timestamp-reply"},
        body=question.encode(),
        verify_tls=settings.verify_tls,
        max_body_bytes=MAX_ANSWER_BYTES,
    )
    sent = net.clock.wall()
    try:
        answer = await exchanges.fetch(asked, settings.timeout_s)
    except web.WebError as error:
        return Result(error.reason, tuple(exchanges.readings()), detail=error.detail)
    received = net.clock.wall()
    reason, detail, said = _judge(settings, answer, question, (sent, received))
    if reason is None and exchanges.took_s > settings.slow_s:
        reason, detail = Reason.SLOW, f"took {exchanges.took_s:.1f} s"
    return Result(reason, (*exchanges.readings(), *said), detail=detail)


def _judge(
    settings: TsaSettings, answer: web.Answer, question: stamps.Question, between: tuple[float, float]
) -> tuple[Reason | None, str, tuple[Reading, ...]]:
    """Why the answer does not pass, in words, and what the stamp says."""
    if answer.status != 200:
        reason = Reason.OVERLOADED if answer.overloaded else Reason.WRONG_STATUS
        return reason, f"status {answer.status}", ()
    ca = None if settings.ca is None else load(settings.ca)
    try:
        stamp = stamps.read(answer.body, question, ca)
    except stamps.Wrong as error:
        return error.reason, error.detail, ()
    except Untrusted as error:
        return Reason.BAD_SIGNATURE, str(error), ()
    if isinstance(stamp, stamps.Refusal):
        return (*_refused(stamp), ())
    skew_s = _skew_s(stamp.time, *between)
    said = (
        Reading(metrics.TSA_CLOCK_SKEW, skew_s),
        Reading(metrics.TSA_CERTIFICATE_NOT_AFTER, stamp.signer.not_valid_after_utc.timestamp()),
    )
    if abs(skew_s) >= MAX_SKEW_S:
        return Reason.CLOCK_SKEW, f"the stamp's time is {skew_s:+.0f} s off this machine's", said
    return None, "stamped", said


def _refused(refusal: stamps.Refusal) -> tuple[Reason, str]:
    words = ", ".join(sorted(refusal.failures)) or refusal.status
    if refusal.failures & FAILED:
        return Reason.SERVER_FAILURE, f"no stamp: {words}"
    if refusal.status == "waiting":  # RFC 3161 knows no second question to fetch it with
        return Reason.OVERLOADED, f"no stamp: {words}"
    return Reason.REJECTED, f"no stamp: {words}"


def _skew_s(time: datetime, sent: float, received: float) -> float:
    """How far a stamp lies outside the time in which it was made, which may be minutes; whole seconds are cut off."""
    made = time.timestamp()
    return max(0.0, made - received) or min(0.0, made - sent)


KIND = Kind("tsa", TsaSettings, check, deadline_s=DEADLINE_S)
