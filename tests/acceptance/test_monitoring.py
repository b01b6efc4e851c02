"""What watches the server is right: alerts and dashboard load in a real Prometheus, ask for what is told, and are explained."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from ruamel.yaml import YAML

from sync_server.engine.draft import Verdict
from sync_server.meters import METERS
from sync_server.operate import dashboard
from sync_server.operate.dashboard_panels import questions
from sync_server.operate.metrics_listener import metrics_of
from sync_server.web.meters import HOPS
from sync_server.wire.live import Close
from sync_server.wire.problems import REGISTRY
from tests.architecture.sources import ROOT
from tests.harness.prometheus import program, promtool
from tests.harness.scraping import scrape
from tests.harness.servers import free_port, serve_here

MONITORING = ROOT / "docs" / "monitoring"
ALERTS = MONITORING / "alerts.yml"
CASES = MONITORING / "alerts_test.yml"
RUNBOOK = ROOT / "docs" / "RUNBOOK.md"
NAME = re.compile(r"\b((?:cotton|process)_\w+|up)\b")
SELECTED = re.compile(r"\b((?:cotton|process)_\w+|up)\{([^}]*)\}")
LABEL = re.compile(r'(\w+)(?:=~|!=|!~|=)"([^"]*)"')
QUIET = re.compile(r"cotton_(bus|redis)_up|messages|jobs_total|lost_races|live_ended|merge|> 0|45|refused")
"""Of the dashboard's questions, those about what does not happen in a minute of nothing but pulls."""
OF_PROMETHEUS = {"job", "instance", "le"}

VALUES = {
    "hop": HOPS,
    "code": {*REGISTRY, "not_processable"},
    "verdict": {one.value for one in Verdict},
    "reason": {one.name.lower() for one in Close},
    "pool": {"requests", "owners"},
    "channel": {"phone", "office"},
}
"""What may stand in a label that somebody asks for by its value; the rest is told by `known` of the meters."""


def read_yaml(path: Path) -> Any:
    return YAML(typ="safe").load(path.read_text())


def rules() -> list[dict[str, Any]]:
    return [rule for group in read_yaml(ALERTS)["groups"] for rule in group["rules"]]


NAMES = [rule["alert"] for rule in rules()]
EXPRESSIONS = {**{rule["alert"]: rule["expr"] for rule in rules()}, **{f"panel {ask}": ask for ask in questions()}}


def faults_of(expression: str, told: set[str]) -> Iterator[str]:
    """Say what an expression asks for that nobody tells: a name, a label, a value of a label."""
    for name in NAME.findall(expression):
        if name not in told | {"up"}:
            yield f"nobody tells {name}"
    for name, selection in SELECTED.findall(expression):
        meter = METERS.get(name) or METERS.get(re.sub(r"_(bucket|count|sum)$", "", name))
        for label, value in LABEL.findall(selection):
            if label not in {*(meter.labels if meter else ()), *OF_PROMETHEUS}:
                yield f"{name} has no label {label}"
            elif label in VALUES and not any(re.fullmatch(value, one) for one in VALUES[label]):
                yield f"no {label} of {name} is {value}"


def told_by(text: str) -> set[str]:
    """Name what can be asked for, of the lines that say a family's type."""
    names = set()
    for name, kind in re.findall(r"^# TYPE (\w+) (\w+)$", text, re.MULTILINE):
        names |= {f"{name}{end}" for end in ("_bucket", "_count", "_sum")} if kind == "histogram" else {name}
    return names


# --- What is asked for is told ----------------------------------------------------------------------------------------


async def test_alerts_and_dashboard_ask_for_nothing_that_a_running_server_does_not_tell(
    demo_url: str, tmp_path: Path
) -> None:
    async with (
        serve_here(demo_url, tmp_path, metrics_port=0) as server,
        metrics_of(server.app, server.settings) as address,  # type: ignore[arg-type]
    ):
        told = told_by((await scrape(str(address))).text)

    assert {what: list(faults_of(ask, told)) for what, ask in EXPRESSIONS.items() if list(faults_of(ask, told))} == {}
    assert "cotton_requests_total" in told
    assert "cotton_bus_up" in told, "what has no value yet is told as a name"


@pytest.mark.parametrize(
    "wrong",
    [
        "rate(cotton_request_total[5m])",
        'rate(cotton_requests_total{route="/x"}[5m])',
        'rate(cotton_requests_total{hop="pulls"}[5m])',
        "cotton_request_seconds",
    ],
)
def test_a_question_that_nobody_answers_is_noticed(wrong: str) -> None:
    told = {"cotton_requests_total", "cotton_request_seconds_bucket"}

    assert list(faults_of(wrong, told))


def test_a_counter_whose_increase_is_asked_for_by_a_label_is_told_from_the_start() -> None:
    for rule in rules():
        for name, selection in re.findall(r"increase\((\w+)\{([^}]*)\}", rule["expr"]):
            wanted = LABEL.findall(selection)
            known = [dict(zip(METERS[name].labels, labels, strict=True)) for labels in METERS[name].values]  # type: ignore[attr-defined]

            assert any(all(one.get(k) == v for k, v in wanted) for one in known), f"{rule['alert']}: first event unseen"


# --- promtool and a real Prometheus ----------------------------------------------------------------------------------


def test_promtool_finds_nothing_wrong() -> None:
    for arguments in (["check", "rules", "alerts.yml"], ["check", "config", "prometheus.yml"]):
        done = promtool(*arguments, cwd=MONITORING)
        assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_fires_on_what_it_is_about_and_none_when_all_is_well() -> None:
    done = promtool("test", "rules", "alerts_test.yml", cwd=MONITORING)

    assert done.returncode == 0, done.stdout + done.stderr
    assert {case["name"] for case in read_yaml(CASES)["tests"]} > set(NAMES)


@pytest.mark.parametrize("threshold", ["> 0.02", "== 0", '{code="internal_error"}'])
def test_an_alert_that_was_broken_is_noticed(threshold: str, tmp_path: Path) -> None:
    broken = {"> 0.02": "> 0.2", "== 0": "== 2", '{code="internal_error"}': '{code="internal"}'}
    (tmp_path / "alerts.yml").write_text(ALERTS.read_text().replace(threshold, broken[threshold]))
    shutil.copy(CASES, tmp_path)

    assert promtool("test", "rules", CASES.name, cwd=tmp_path).returncode != 0


@asynccontextmanager
async def prometheus(folder: Path, target: str) -> AsyncIterator[aiohttp.ClientSession]:
    """Run a Prometheus with our rules that scrapes `target` every second."""
    settings = read_yaml(MONITORING / "prometheus.yml")
    settings["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    settings["scrape_configs"][0]["static_configs"] = [{"targets": [target]}]
    (folder / "prometheus.json").write_text(json.dumps(settings))
    shutil.copy(ALERTS, folder)
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        *(program("prometheus"), "--config.file=prometheus.json", f"--storage.tsdb.path={folder / 'data'}"),
        *(f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn"),
        cwd=folder,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
            yield session
    finally:
        process.terminate()
        await process.wait()


async def ask(session: aiohttp.ClientSession, path: str, **query: str) -> Any:
    """Ask Prometheus; wait for it to begin."""
    for _ in range(100):
        try:
            async with session.get(f"/api/v1/{path}", params=query) as answer:
                said = await answer.json(content_type=None)
                if answer.status != 503:
                    assert said["status"] == "success", (query, said)
                    return said["data"]
        except (aiohttp.ClientConnectionError, json.JSONDecodeError):
            pass
        await asyncio.sleep(0.1)
    raise AssertionError("Prometheus does not answer")


async def test_a_real_prometheus_loads_the_rules_and_answers_the_dashboard(demo_url: str, tmp_path: Path) -> None:
    async with (
        serve_here(demo_url, tmp_path, metrics_port=0) as server,
        metrics_of(server.app, server.settings) as address,  # type: ignore[arg-type]
        prometheus(tmp_path, str(address).split("/")[2]) as session,
    ):
        headers = await server.bearer("agent1")
        for _ in range(40):
            async with server.session.get("/api/v1/sync", headers=headers) as answer:
                assert answer.status == 200
                await answer.read()
            up = (await ask(session, "query", query='up{job="cotton-sync"}'))["result"]
            pulls = await ask(session, "query", query='rate(cotton_requests_total{hop="pull"}[10s])')
            if up and pulls["result"]:
                break
            await asyncio.sleep(0.5)
        assert [one["value"][1] for one in up] == ["1"]
        loaded = (await ask(session, "rules"))["groups"][0]["rules"]
        answers = {q: (await ask(session, "query", query=_asked(q)))["result"] for q in questions()}

    assert [rule["name"] for rule in loaded] == NAMES
    assert {rule["name"]: rule["health"] for rule in loaded if rule["health"] != "ok"} == {}
    assert {rule["name"] for rule in loaded if rule["state"] == "firing"} <= {"CottonDiskFull"}, "all is well here"
    silent = [question for question, found in answers.items() if not found]
    assert [question for question in silent if not QUIET.search(question)] == []


def _asked(question: str) -> str:
    """Ask as Grafana does."""
    return question.replace("$__rate_interval", "10s")


def test_the_dashboard_is_what_is_declared() -> None:
    assert dashboard.drift() == [], "run `cotton-sync generate docs`"

    panels = json.loads(dashboard.DESTINATION.read_text())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    places = [(p["gridPos"]["x"], p["gridPos"]["y"]) for p in panels]
    assert len(set(places)) == len(places), "no panel hides another"


# --- The runbook ------------------------------------------------------------------------------------------------------


def sections() -> dict[str, str]:
    """Give the sections about alerts: title -> text."""
    about = RUNBOOK.read_text().split("\n## Alerts\n")[1].split("\n## ")[0]
    return {part.split("\n", 1)[0].strip(): part.split("\n", 1)[1] for part in about.split("\n### ")[1:]}


def test_every_alert_is_explained_and_nothing_else_is() -> None:
    assert list(sections()) == NAMES, "the runbook has the alerts in the order of alerts.yml"


@pytest.mark.parametrize("name", NAMES)
def test_an_alert_is_explained_by_what_it_means_how_to_look_and_what_to_do(name: str) -> None:
    assert re.findall(r"^\*(Means|Look|Do):\* \S", sections()[name], re.MULTILINE) == ["Means", "Look", "Do"]


def test_every_link_within_the_runbook_leads_somewhere() -> None:
    text = RUNBOOK.read_text()
    titles = {
        re.sub(r"[^\w -]", "", t).strip().lower().replace(" ", "-")
        for t in re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    }

    assert set(re.findall(r"\]\(#([\w-]+)\)", text)) <= titles


def test_every_panel_that_the_runbook_names_is_on_the_dashboard() -> None:
    titles = {panel["title"] for panel in dashboard.document()["panels"]}
    text = " ".join(" ".join(sections().values()).split())
    named = set(re.findall(r'"([A-Z][^"]+)"', text))

    assert {name for name in named if not any(title.startswith(name) for title in titles)} == set()
