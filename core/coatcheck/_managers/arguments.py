"""The arguments that several public calls share, gathered for the flows."""

from __future__ import annotations

from typing import Any


def filters_of(
    user_id: object, method: object, scope: object, live: object, pepper_id: object
) -> dict[str, Any]:
    """The filters of `find` and `count`, given or not, by name."""
    return {
        "user_id": user_id,
        "method": method,
        "scope": scope,
        "live": live,
        "pepper_id": pepper_id,
    }


def fields_of(
    scopes: object, metadata: object, expires_at: object, inactivity_timeout: object
) -> dict[str, Any]:
    """The fields that an update may set, given or not, by name."""
    return {
        "scopes": scopes,
        "metadata": metadata,
        "expires_at": expires_at,
        "inactivity_timeout": inactivity_timeout,
    }
