"""Our migrations as Alembic knows them: which there are, in which order, of which phase.

Owns: Alembic's settings, without a file: the scripts are found beside the installed `migrations` package.
Must not know: any database.
Invariant: every migration is called NNNN_pre|post_name (tests/integration/test_migrations.py).
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from alembic.config import Config
from alembic.script import ScriptDirectory

import migrations

# It announces its dialect at every start; which migrations ran, we say ourselves.
logging.getLogger("alembic").setLevel(logging.WARNING)

PHASE: Final = re.compile(r"\d{4}_(pre|post)_[a-z0-9_]+")


def alembic_config(**attributes: Any) -> Config:
    """Make Alembic's settings for the installed `migrations` package."""
    config = Config(output_buffer=attributes.pop("output", None), attributes=attributes)
    config.set_main_option("script_location", str(Path(migrations.__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    return config


@cache
def phases() -> Mapping[str, str]:
    """List our revisions, oldest first, each with its phase (`pre` or `post`)."""
    scripts = list(ScriptDirectory.from_config(alembic_config()).walk_revisions())
    found = {}
    for script in reversed(scripts):
        name = PHASE.fullmatch(Path(script.path).stem)
        assert name is not None, f"{script.path} is not called NNNN_pre|post_name"
        found[script.revision] = name[1]
    return found


def head() -> str:
    """Name the newest of our revisions."""
    return list(phases())[-1]
