"""How a link sounds and looks in a meeting: the R-factor and the mean opinion score from delay, jitter and loss."""

from __future__ import annotations

BEST_R = 93.2
"""R of a connection without delay and loss (ITU-T G.107, default values)."""
CODEC_S = 0.010
"""What coding and decoding add to the delay."""
PLAYOUT = 2.0
"""How many times the jitter a receiver waits before it plays, so that late packets still count."""
PACKET_LOSS_ROBUSTNESS = 25.1
"""Bpl of G.711 with packet loss concealment (ITU-T G.113, appendix I)."""


def heard_delay_s(rtt_s: float, jitter_s: float) -> float:
    """Delay from mouth to ear: half the round trip, the playout buffer and the codec, in seconds.

    Both ways are taken as equally long: one clock cannot tell them apart.
    """
    return rtt_s / 2 + PLAYOUT * jitter_s + CODEC_S


def simplified_r(delay_s: float, loss_ratio: float) -> float:
    """R-factor of 0 to 100 by the simplified E-model that ping tools use (Nessoft); `delay_s` as `heard_delay_s`."""
    delay_ms = delay_s * 1000
    r = BEST_R - (delay_ms / 40 if delay_ms < 160 else (delay_ms - 120) / 10)
    return _clamped(r - 2.5 * 100 * loss_ratio)


def g107_r(delay_s: float, loss_ratio: float) -> float:
    """R-factor of 0 to 100 by ITU-T G.107 with Cole and Rosenbluth's fit of its delay term, random loss, G.711.

    `delay_s` is the delay from mouth to ear.
    """
    delay_ms, loss = delay_s * 1000, 100 * loss_ratio
    delay_impairment = 0.024 * delay_ms + 0.11 * max(0.0, delay_ms - 177.3)
    equipment_impairment = 95 * loss / (loss + PACKET_LOSS_ROBUSTNESS)
    return _clamped(BEST_R - delay_impairment - equipment_impairment)


def r_factors(rtt_s: float, jitter_s: float, loss_ratio: float) -> dict[str, float]:
    """The R-factor of a link by both formulas, under the names that series carry."""
    delay_s = heard_delay_s(rtt_s, jitter_s)
    return {"g107": g107_r(delay_s, loss_ratio), "simplified": simplified_r(delay_s, loss_ratio)}


def mos(r: float) -> float:
    """Mean opinion score of 1 (bad) to 4.5 (best) for an R-factor (ITU-T G.107, annex B)."""
    if r <= 0:
        return 1.0
    if r >= 100:
        return 4.5
    return max(1.0, 1 + 0.035 * r + r * (r - 60) * (100 - r) * 7e-6)  # the cubic dips below 1 under R = 6.5


def _clamped(r: float) -> float:
    """Without bounds a link of seconds would get a score below the scale."""
    return min(100.0, max(0.0, r))
