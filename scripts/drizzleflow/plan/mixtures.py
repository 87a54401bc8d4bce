"""Look at what the members of a product should have in common: filter, instrument, unit, exposure time.

What cannot be right is refused (`refuse`); what a careful colleague would ask about is told at the start of
the run and in ``checks.json`` (`doubts`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from drizzleflow.errors import InputError
from drizzleflow.io.header import is_count, is_rate
from drizzleflow.plan.product import Finding, Member

SAME_TIME = 1.01  #: exposure times are the same within this factor


def refuse(where: str, members: Iterable[Member], scaled: bool) -> None:
    """Raise `InputError` for members that cannot be one product.

    `where` begins the message. `scaled`: whether the format leaves fluxes to be scaled by the user; others
    are rates, or made so as they are read.
    """
    members = list(members)
    dispersed = {member.dispersed: member for member in members}
    if len(dispersed) > 1:
        raise InputError(
            f"{where}: {dispersed[True].path} is dispersed (filter {dispersed[True].filter}) and "
            f"{dispersed[False].path} is an image (filter {dispersed[False].filter}); a pixel of the first is no "
            "position on the sky, expected products of their own"
        )
    times = _times(members) if scaled else None
    counts = next((member.unit for member in members if is_count(member.unit)), None)
    if times and counts:
        short, long = times
        raise InputError(
            f"{where}: exposures of {short:g} to {long:g} s in {counts}, which grow with the time; expected one "
            "exposure time, or simple.flux_scale: exptime (makes them rates), or a flux_scale for each member (a "
            "CSV's column)"
        )


def doubts(members: Iterable[Member], limits: Mapping, scaled: bool) -> list[Finding]:
    """Return what to ask about the members of one product.

    `limits`: the configuration's section ``checks``; `scaled` as in `refuse`.
    """
    members, found = list(members), []
    for check, names in (
        ("filters", {member.filter for member in members}),
        ("instruments", {member.instrument for member in members}),
        ("units", {member.unit for member in members}),
    ):
        known = sorted(names - {""})
        if limits[check] is not None and len(known) > limits[check]:
            found.append(
                Finding(check, f"{len(known)} {check} in one product: {', '.join(known)}", ", ".join(known))
            )
    times = _times(members) if scaled else None
    if times and limits["exposure_times"] and not any(is_rate(member.unit) for member in members):
        short, long = times
        unit = f"the unit {members[0].unit!r}" if members[0].unit else "no unit"
        found.append(
            Finding(
                "exposure_times",
                f"exposures of {short:g} to {long:g} s with {unit}: if they are counts, "
                "set simple.flux_scale: exptime; if they are rates or calibrated, set checks.exposure_times: null",
                long / short,
            )
        )
    return found


def _times(members: list[Member]) -> tuple[float, float] | None:
    """Return the shortest and longest exposure where they differ and no flux scale levels them."""
    times = [m.exptime for m in members if m.exptime and m.flux_scale is None]
    return (min(times), max(times)) if times and max(times) > SAME_TIME * min(times) else None
