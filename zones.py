"""Time zones by name: every name that comes from outside (a setting, a row) is read here."""

from zoneinfo import ZoneInfo, ZoneInfoNotFoundError


def zone_named(name: str) -> ZoneInfo:
    """The zone of that name.

    Raises:
        ValueError: there is none.
    """
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, ZoneInfoNotFoundError):  # OSError: a folder's name such as Europe, or one too long
        raise ValueError("must be an IANA time zone such as Europe/Moscow") from None


def zone_or(name: str | None, default: ZoneInfo) -> ZoneInfo:
    """The zone of that name, and `default` where there is none."""
    try:
        return zone_named(name) if name else default
    except ValueError:
        return default
