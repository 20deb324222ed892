"""The flaws that were found in the session library after which this one was designed, by the
animals in which they are rebuilt.

One is missing here, since no law is broken by it: that no index served but the primary key.
The tests of each store hold its plans to the indexes (`test_plans.py`).
"""

from __future__ import annotations

from typing import Final

FLAWS: Final[dict[str, tuple[str, ...]]] = {
    "the salt was stored and never hashed": ("the salt is not hashed",),
    "the revocation of a method's sessions ignored the method": ("revoke_all ignores the method",),
    "the limit was applied before the filter": ("the limit comes before the filter",),
    "an empty filter deleted everybody's sessions": ("no filter means all",),
    "the touch wrote the whole row": ("a touch writes the whole row as it was loaded",),
    "the touch threw when the row was gone": ("a touch raises when the row is gone",),
    "a fixed throttle broke short timeouts": ("a throttle that forgets a tenth of the timeout",),
    "a fallback pepper's hash was never rewritten": ("an old hash is never rewritten",),
    "a token that did not parse was logged": ("a token that does not parse is logged",),
    "a change of scopes was promised and did nothing": (
        "a change of scopes is told and not stored",
    ),
}
