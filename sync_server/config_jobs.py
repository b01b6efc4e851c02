"""Settings of jobs; a part of `config.Settings`.

Owns: their names, defaults and bounds.
Must not know: who uses a setting.
Invariant: without a word about it every server process works on jobs, so that none waits for ever
(tests/integration/test_jobs.py).
"""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings


class JobSettings(BaseSettings):
    """Whether this process works on jobs."""

    jobs: bool = Field(
        True,
        description="true or false: this process works on jobs; false where `cotton-sync jobs work` does it apart",
    )
