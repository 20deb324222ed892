"""What all stages of a process share."""

from __future__ import annotations

from stretched_peppers import stretched_once
