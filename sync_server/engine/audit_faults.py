"""What can be wrong with a log, and how a person is told.

Owns: the kinds of harm, and a sentence for each.
Must not know: how it is found.
Invariant: a sentence names the positions, so that the rows can be looked at in a backup (tests/integration/test_audit.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Harm(Enum):
    """What was done to a log."""

    ALTERED = "altered"
    MOVED = "moved"
    DELETED = "deleted"
    PUT_IN = "put in"
    SALT_GONE = "salt gone"
    SEAL_ALTERED = "seal altered"
    SEAL_GONE = "seal gone"
    TAKEN_OUT = "taken out"
    REWRITTEN = "rewritten"
    HEAD_ALTERED = "head altered"
    CUT_OFF = "cut off"
    MADE_ANEW = "made anew"


_SENTENCES = {
    Harm.ALTERED: "{rows} altered, or the salt of the seal was{detail}.",
    Harm.MOVED: "{rows} moved{detail}.",
    Harm.DELETED: "{rows} deleted; the seal is still there.",
    Harm.PUT_IN: "{rows} put in: it was not there when the log was sealed{detail}.",
    Harm.SALT_GONE: "{rows} sealed with a salt that is gone, and no erasure is recorded.",
    Harm.SEAL_ALTERED: "The seal of position {position} was altered.",
    Harm.SEAL_GONE: "{rows} once sealed, and the seal was taken out{detail}.",
    Harm.TAKEN_OUT: "Between position {position} and {upto} something was taken out together with its seal{detail}.",
    Harm.REWRITTEN: "{rows} rewritten together with its seal{detail}.",
    Harm.HEAD_ALTERED: "The end of the chain, seal_head or the seal of position {position}, was altered{detail}.",
    Harm.CUT_OFF: "What came after position {position} was cut off{detail}.",
    Harm.MADE_ANEW: "After position {position} and up to {upto} the log was rewritten together with its seals{detail}.",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """What is not as it was, at a position, or from it `upto` another."""

    harm: Harm
    position: int
    upto: int
    detail: str = ""

    @property
    def sentence(self) -> str:
        """Say what was done to which row."""
        one = f"The event at position {self.position} was"
        rows = one if self.upto == self.position else f"The events from position {self.position} to {self.upto} were"
        return _SENTENCES[self.harm].format(
            rows=rows, position=self.position, upto=self.upto, detail=self.detail and f": {self.detail}"
        )
