"""Keeps key hashes out of pymongo's log of commands, which at DEBUG shows whole documents."""

from __future__ import annotations

import logging
import re
from typing import Final

_LOGGER: Final = "pymongo.command"

# The salt and the digest, which pymongo may have cut short; not the scheme and the pepper's id.
_SALT_AND_DIGEST: Final = re.compile(
    r"(\$(?:hmac-sha256\$v=1\$|argon2id\$v=19\$m=[0-9]+,t=[0-9]+,p=[0-9]+,)keyid=[0-9a-f]{16}\$)"
    r"[A-Za-z0-9+/]+(?:\$[A-Za-z0-9+/]*)?"
)


class HashFilter(logging.Filter):
    """Rewrites a record that shows a key hash, and passes all others on as they are."""

    def filter(self, record: logging.LogRecord) -> bool:
        said = record.getMessage()
        shown = _SALT_AND_DIGEST.sub(r"\1…", said)
        if shown != said:
            record.msg, record.args = shown, None
        return True


_FILTER: Final = HashFilter()


def install() -> None:
    """From here on, and without a second one. Nothing is filtered, nor slower, while the logger
    is off, since a filter is asked only about what is to be written."""
    logging.getLogger(_LOGGER).addFilter(_FILTER)
