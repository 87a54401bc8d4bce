"""Name the groups of frames that were exposed together; the plan imports it, so it needs no numpy."""

from __future__ import annotations

from collections.abc import Mapping


def group_of(member: Mapping, extver: int) -> str:
    """Return the group of a member's frame `extver`.

    `member` has ``group``, and where they are true ``cube`` (its frames are integrations) or ``apart`` (they
    were exposed one after the other): each frame is then a group of its own.
    """
    if member.get("cube"):
        return f"{member['group']}-i{extver:04d}"
    return f"{member['group']}-v{extver:04d}" if member.get("apart") else member["group"]
