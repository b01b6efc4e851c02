"""The documents tell the truth: their code runs, their answers are the server's, their paths and tables are the code's.

How a document is read. A `bash` block is run, in one shell per document and in order, against a server over the demo
data; an `sql` block is run by psql in between. A `json` or `text` block that follows directly is what it must print:
`…` stands for anything within a string or a text, for the rest of a list, and as a member for further members; whole
numbers of 13 digits and more (cursors, moments) match each other. `ts` blocks are type-checked together with the SDK.
A fence in any other language fails, so that nothing is skipped in silence.

Two commands are not run in earnest: `make` is a dry run, and of `cotton-sync serve`, which would not end, the options are
checked.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from erp_core.catalogue import ENTITIES
from erp_core.commands import COMMANDS
from erp_core.makers import MAKERS
from mobile.node import SDK, ready_sdk
from sync_server.config import PREFIX, Settings
from sync_server.operate.launch import package
from sync_server.operate.postgres import Cluster
from sync_server.web.routes import add_routes
from sync_server.wire.problems import REGISTRY
from tests.acceptance.test_watermelondb import run_node
from tests.architecture.sources import ROOT
from tests.harness.servers import Server

DOCUMENTS = sorted(path.relative_to(ROOT).as_posix() for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")))
PAGE_LINES = 60
ADDRESS = "http://127.0.0.1:8080"
"""Where the documents say that the server is."""

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
RUN = {"bash", "sql"}
SHOWN = {"json", "text"}
ANSWER_ENDS = "--- the answer ends here ---"
SHELL = """
set -euo pipefail
make() { command make --dry-run --directory "$CHECKOUT" "$@" >&2; }
cotton-sync() { if [ "$1" = serve ]; then command cotton-sync "$@" --help >&2; else command cotton-sync "$@"; fi; }
"""

CURL = """#!/usr/bin/env python3
import argparse, sys, urllib.error, urllib.request
read = argparse.ArgumentParser()
read.add_argument("-s", action="store_true")
read.add_argument("-X")
read.add_argument("-H", action="append", default=[])
read.add_argument("-d", type=str.encode)
read.add_argument("url")
asked = read.parse_args()
headers = dict(header.split(": ", 1) for header in asked.H)
try:
    answer = urllib.request.urlopen(urllib.request.Request(asked.url, asked.d, headers, method=asked.X))
except urllib.error.HTTPError as refusal:
    answer = refusal
sys.stdout.buffer.write(answer.read())
"""
"""What the documents use of curl, for a machine that has none: the tests need nothing but Python and make."""


@dataclass(frozen=True)
class Block:
    """A fenced block; `shown`: the answer that the document gives, with its language."""

    line: int
    language: str
    code: str
    shown: tuple[str, str] | None = None


def blocks(document: str) -> list[Block]:
    text = (ROOT / document).read_text()
    found = [(m, Block(text[: m.start()].count("\n") + 1, m[1], m[2])) for m in FENCE.finditer(text)]
    answers: dict[int, tuple[str, str]] = {}
    for (m, block), (n, following) in pairwise(found):
        if block.language in RUN and following.language in SHOWN and not text[m.end() : n.start()].strip():
            answers[block.line] = (following.language, following.code)
    return [Block(b.line, b.language, b.code, answers.get(b.line)) for _, b in found]


# --- Blocks that run --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("document", [name for name in DOCUMENTS if any(b.language in RUN for b in blocks(name))])
@pytest.mark.parametrize("curl", ["curl of the system", "curl of ours"])
async def test_what_a_document_shows_is_what_happens(
    document: str,
    curl: str,
    demo_server: Server,
    demo_url: str,
    cluster: Cluster,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    listed = [block for block in blocks(document) if block.language in RUN]
    script = SHELL + "".join(f"{_command(block)}\necho '{ANSWER_ENDS}'\n" for block in listed)
    tmp_path = tmp_path_factory.mktemp("d")  # short: a socket's path has at most 107 bytes, and one lies below it
    (tmp_path / "bin").mkdir()
    if curl == "curl of ours" or shutil.which("curl") is None:
        (tmp_path / "bin" / "curl").write_text(CURL)
        (tmp_path / "bin" / "curl").chmod(0o755)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "postgres").symlink_to(cluster.folder)  # as an embedded PostgreSQL lies below the data folder
    environment = {
        **os.environ,
        "PATH": ":".join(
            map(str, (tmp_path / "bin", package() / "pginstall/bin", Path(sys.executable).parent, os.environ["PATH"]))
        ),
        "CHECKOUT": str(ROOT),
        "COTTON_DATABASE_URL": demo_url,
        "COTTON_DATA": str(tmp_path / "data"),
        "COTTON_PORT": "0",
        "COLUMNS": "200",
    }
    shell = await asyncio.create_subprocess_exec(
        *("bash", "-c", script.replace(ADDRESS, demo_server.url)),
        cwd=tmp_path,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    printed, complaints = await asyncio.wait_for(shell.communicate(), 240)

    answers = printed.decode().replace(demo_server.url, ADDRESS).split(f"{ANSWER_ENDS}\n")[:-1]
    for block, answer in zip(listed, answers, strict=False):
        if block.shown is not None:
            is_so = _matches(*block.shown, answer)
            assert is_so, f"{document}:{block.line} shows otherwise; printed was:\n{answer}"
    failed = f"{document}:{listed[min(len(answers), len(listed) - 1)].line}"
    assert shell.returncode == 0, f"{failed} failed:\n{complaints.decode()}"


def _command(block: Block) -> str:
    if block.language == "bash":
        return block.code
    return f"psql --quiet --no-psqlrc --set ON_ERROR_STOP=1 \"$COTTON_DATABASE_URL\" <<'SQL'\n{block.code}SQL"


def _matches(language: str, shown: str, printed: str) -> bool:
    if language == "text":
        wanted, got = ("\n".join(line.rstrip() for line in text.strip().splitlines()) for text in (shown, printed))
        return _like(wanted, got)
    return _same(json.loads(shown), json.loads(printed))


def _same(shown: Any, real: Any) -> bool:
    match shown, real:
        case dict(), dict():
            named = shown.keys() - {"…"}
            complete = named == real.keys() if named == shown.keys() else named < real.keys()
            return complete and all(_same(shown[name], real[name]) for name in named)
        case list(), list():
            open_end = shown[-1:] == ["…"]
            given = shown[:-1] if open_end else shown
            right_length = len(given) <= len(real) if open_end else len(given) == len(real)
            return right_length and all(_same(s, r) for s, r in zip(given, real, strict=False))
        case str(), str():
            return _like(shown, real)
        case int(), int() if min(shown, real) >= 10**12:
            return True
    return type(shown) is type(real) and bool(shown == real)


def _like(shown: str, real: str) -> bool:
    return re.fullmatch(".*".join(map(re.escape, shown.split("…"))), real, re.DOTALL) is not None


def test_an_answer_that_differs_is_noticed() -> None:
    assert _matches("json", '{"a": "x…", "at": 1795400000000, "…": "…"}', '{"a": "xyz", "at": 1795400000001, "b": 1}')
    for shown in ('{"a": 1}', '{"a": "2"}', '{"a": 2, "b": 3}', '{"a": 2, "…": "…"}', "[2]"):
        assert not _matches("json", shown, '{"a": 2}'), shown
    assert not _matches("text", "one\ntwo", "one")


# --- Blocks that are read ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_other_block_can_be_read(document: str) -> None:
    for block in blocks(document):
        match block.language:
            case "json":
                json.loads(block.code)
            case "python":
                compile(block.code, f"{document}:{block.line}", "exec")
            case "ini":
                set_by = re.findall(rf"{PREFIX}(\w+)=", block.code)
                assert {name.lower() for name in set_by} <= Settings.model_fields.keys(), f"{document}:{block.line}"
            case "bash" | "sql" | "text" | "ts":
                pass  # run, shown by a person, or checked by tsc
            case "http":
                assert document == "docs/A-DAY-OFFLINE.md", "tests/acceptance/test_a_day_offline.py plays these"
            case other:
                pytest.fail(f"{document}:{block.line}: nothing checks {other!r} blocks")


async def test_typescript_of_the_documents_compiles(tmp_path: Path) -> None:
    sdk = await asyncio.to_thread(ready_sdk)
    for document in DOCUMENTS:
        for block in blocks(document):
            if block.language == "ts":
                (tmp_path / f"{Path(document).stem}_{block.line}.ts").write_text(block.code)
    (tmp_path / "node_modules").symlink_to(sdk / "node_modules")
    options = {"noEmit": True, "rootDir": "/", "paths": {"@cotton-sync/sdk": [str(SDK / "src" / "index.ts")]}}
    settings = {"extends": str(sdk / "tsconfig.json"), "compilerOptions": options, "include": ["*.ts"]}
    (tmp_path / "tsconfig.json").write_text(json.dumps(settings))

    await run_node("node_modules/typescript/bin/tsc", "--project", str(tmp_path), flags=())


# --- Paths ------------------------------------------------------------------------------------------------------------

CODE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
LINK = re.compile(r"\]\((?!https?:)([^)#\s]+)[^)]*\)")
PATH = re.compile(r"(\.?\w[\w.-]*/)*(\.?\w[\w-]*\.(?:py|md|ts|mjs|cfg|toml|sql|json)|)(?::(\w+))?")


MADE = ("build/", "data/", "witness.json")
"""What runs leave: it is there after one, and not in a fresh checkout."""


def _paths(document: str) -> Iterator[tuple[str, str | None]]:
    """Give what looks like a path of ours in backticks, `sync_server/app.py:create_app` with its name; and every link."""
    prose = FENCE.sub("", (ROOT / document).read_text())
    for code in CODE.findall(prose):
        found = PATH.fullmatch(code)
        if found and ("/" in code or found[2]) and not code.startswith(MADE):
            yield code.partition(":")[0], found[3]
    for link in LINK.findall(prose):
        yield f"{Path(document).parent}/{link}", None


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_path_in_a_document_exists(document: str) -> None:
    for path, name in _paths(document):
        homes = [ROOT / path, ROOT / "sync_server" / path, ROOT / Path(document).parent / path]
        found = next((home for home in homes if home.exists()), None)
        assert found is not None, f"{document} names {path}, which does not exist"
        definition = rf"^\s*(async def|def|class) {name}\b|^{name}\b"
        defined = name is None or re.search(definition, found.read_text(), re.MULTILINE)
        assert defined, f"{document} names {name} of {path}, which has no such thing"


# --- Tables and sizes -------------------------------------------------------------------------------------------------


def _rows(document: str, first: str) -> list[str]:
    """Give the table rows of a document whose first cell begins with `first`."""
    return [line for line in (ROOT / document).read_text().splitlines() if line.startswith(f"| `{first}")]


def test_the_table_of_settings_is_the_code() -> None:
    fields = Settings.model_fields.items()
    wanted = [f"| `{PREFIX}{name.upper()}` | {_default(name)} | {field.description} |" for name, field in fields]

    assert _rows("docs/OPERATING.md", PREFIX) == wanted, "paste this:\n" + "\n".join(wanted)


def _default(name: str) -> str:
    field = Settings.model_fields[name]
    if field.default_factory is not None:
        return "see right"
    return "empty" if field.default is None else f"`{field.default}`"


def test_the_table_of_problems_is_the_registry() -> None:
    wanted = [f"| `{name}` | {code.status} | {code.title} | {code.sentence} |" for name, code in REGISTRY.items()]
    text = (ROOT / "docs/PROTOCOL.md").read_text()

    assert [line for line in text.splitlines() if line in wanted] == wanted, "paste this:\n" + "\n".join(wanted)
    listed = set(re.findall(r"^\| `(\w+)` \| [45]\d\d \|", text, re.MULTILINE))
    assert listed == REGISTRY.keys()


def test_every_reason_that_the_trade_does_not_add_is_explained() -> None:
    homes = [*(ROOT / "sync_server/engine").glob("*.py"), ROOT / "erp_core/values.py"]
    given = {code for path in homes for code in re.findall(r'(?:Violation|Unreadable)\(\s*"(\w+)"', path.read_text())}
    listed = set(re.findall(r"^\| `(\w+)` \| (?![45]\d\d)", (ROOT / "docs/PROTOCOL.md").read_text(), re.MULTILINE))

    assert given <= listed, f"docs/PROTOCOL.md does not explain {sorted(given - listed)}"


def test_every_route_is_described() -> None:
    app = web.Application()
    add_routes(app)
    text = (ROOT / "docs/PROTOCOL.md").read_text()
    routes = {f"{route.method} {_path(route.resource)}" for route in app.router.routes() if route.resource}

    assert not {name for name in routes if not name.startswith("HEAD ") and f"`{name}`" not in text}


def _path(resource: web.AbstractResource) -> str:
    """Give the path of a resource; those of the entities are described together, as {table}."""
    tables = "|".join(entity.table for entity in ENTITIES)
    of_one_entity = r"/api/v1/(attachments/\{id\}/(bytes|link)|trades/\{id\}/settlement)"
    if re.fullmatch(of_one_entity, resource.canonical):
        return resource.canonical
    pattern = rf"(/api/v1(?:/export|/import)?)/(?:{tables})(/bulk|/{{id}}.*)?"
    if any(
        resource.canonical == f"/api/v1/{c.entity.table}/{{id}}/{c.name}" for many in (COMMANDS, MAKERS) for c in many
    ):
        return "/api/v1/{table}/{id}/{command}"
    found = re.fullmatch(pattern, resource.canonical)
    return f"{found[1]}/{{table}}{found[2] or ''}" if found else resource.canonical


def test_the_architecture_is_told_on_two_pages() -> None:
    assert len((ROOT / "ARCHITECTURE.md").read_text().splitlines()) <= 2 * PAGE_LINES
