"""Phones, the office and a bad network, chosen step by step by Hypothesis: once healed, all agree (correctness.md).

In CI a share of about 30 s; HYPOTHESIS_PROFILE=long runs many more and longer examples. Failures shrink to a short list of
steps and print the story.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from sync_server.operate.postgres import Cluster
from tests.simulation.fleet import Fleet
from tests.simulation.harbour import Harbour

PHONES = st.integers(0, 2)
CHOICES = st.integers(0, 20)
COLUMNS = st.integers(0, 1)


class Devices(RuleBasedStateMachine):
    """Every step of every phone is a rule, so that any of them may come between any two of another."""

    harbour: ClassVar[Harbour]
    fleet: Fleet

    @initialize(partners=st.integers(1, 2))
    def begin(self, partners: int) -> None:
        self.fleet = self.harbour.fleet()
        for _ in range(partners):
            self.fleet.sql(0, "insert")
        for phone in range(3):
            self.fleet.sync(phone)

    @rule(phone=PHONES, bad=st.booleans())
    def create(self, phone: int, bad: bool) -> None:
        self.fleet.create(phone, bad=bad)

    @rule(phone=PHONES, choice=CHOICES, column=COLUMNS)
    def edit(self, phone: int, choice: int, column: int) -> None:
        """Two columns, so that phones often meet in one."""
        self.fleet.edit(phone, choice, column)

    @rule(phone=PHONES, choice=CHOICES)
    def delete(self, phone: int, choice: int) -> None:
        self.fleet.delete(phone, choice)

    @rule(choice=CHOICES, what=st.sampled_from(["insert", "update", "delete"]))
    def office(self, choice: int, what: str) -> None:
        self.fleet.sql(choice, what)

    @rule(phone=PHONES, lose_answer=st.booleans(), twice=st.booleans())
    def step(self, phone: int, lose_answer: bool, twice: bool) -> None:
        self.fleet.step(phone, lose_answer=lose_answer, twice=twice)

    @rule(phone=PHONES)
    def pull_anew(self, phone: int) -> None:
        """Forget a sync under way, as an app that was killed does."""
        self.fleet.pull(phone)

    @rule(phone=PHONES)
    def sync(self, phone: int) -> None:
        self.fleet.sync(phone)

    def teardown(self) -> None:
        if hasattr(self, "fleet"):
            self.fleet.heal()
            self.fleet.check()


@pytest.fixture
def harbour(cluster: Cluster, tmp_path: Path) -> Iterator[Harbour]:
    opened = Harbour(cluster, tmp_path)
    yield opened
    opened.close()


def test_phones_converge_to_what_plain_sql_says(harbour: Harbour) -> None:
    long = settings.default is not None and settings.default.max_examples > 100
    chosen = settings(
        max_examples=2_000 if long else 120,
        stateful_step_count=80 if long else 30,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(type("Machine", (Devices,), {"harbour": harbour}), settings=chosen)
