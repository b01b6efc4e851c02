"""The panels of the dashboard: what an operator looks at, row by row.

Owns: titles, units, questions and their order.
Must not know: how Grafana has it written down (dashboard.py), how anything is counted.
Invariant: every question is about metrics that a running server tells (tests/acceptance/test_monitoring.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

RATE: Final = "$__rate_interval"


@dataclass(frozen=True, slots=True)
class Panel:
    """A graph: its title, the unit as Grafana calls it, and (question, what a line is called)."""

    title: str
    unit: str
    asks: Sequence[tuple[str, str]]


def _rate(name: str, by: str, **labels: str) -> str:
    chosen = ",".join(f'{label}=~"{value}"' for label, value in labels.items())
    return f"sum by ({by}) (rate({name}{{{chosen}}}[{RATE}]))"


def _quantile(part: float, name: str, by: str = "", **labels: str) -> str:
    return f"histogram_quantile({part}, {_rate(f'{name}_bucket', f'le, {by}' if by else 'le', **labels)})"


def _spread(title: str, name: str) -> Panel:
    return Panel(title, "s", [(_quantile(part, name), f"p{part * 100:g}") for part in (0.5, 0.95, 0.99)])


ROWS: Final[Sequence[tuple[str, Sequence[Panel]]]] = (
    (
        "Requests",
        (
            Panel("Requests by hop", "reqps", [(_rate("cotton_requests_total", "hop"), "{{hop}}")]),
            Panel(
                "Answers of 4xx and 5xx",
                "reqps",
                [(_rate("cotton_requests_total", "status", status="[45].."), "{{status}}")],
            ),
            Panel("Problems by code", "reqps", [(_rate("cotton_problems_total", "code") + " > 0", "{{code}}")]),
            Panel("Time, p99 by hop", "s", [(_quantile(0.99, "cotton_request_seconds", "hop"), "{{hop}}")]),
            Panel(
                "Bytes",
                "Bps",
                [
                    (_rate("cotton_request_bytes_total", "hop"), "{{hop}} in"),
                    (_rate("cotton_answer_bytes_total", "hop"), "{{hop}} out"),
                ],
            ),
            Panel("Under way", "short", [("sum by (instance) (cotton_requests_under_way)", "{{instance}}")]),
        ),
    ),
    (
        "Syncing",
        (
            Panel("Pulls by answer", "reqps", [(_rate("cotton_pulls_total", "answer"), "{{answer}}")]),
            Panel(
                "Rows sent",
                "rowsps",
                [
                    (f"sum(rate(cotton_pulled_rows_total[{RATE}]))", "from memory"),
                    (f"sum(rate(cotton_spooled_rows_total[{RATE}]))", "copied into files"),
                ],
            ),
            Panel(
                "Verdicts", "rowsps", [(_rate("cotton_verdicts_total", "channel, verdict"), "{{channel}} {{verdict}}")]
            ),
            Panel(
                "Why records wait",
                "rowsps",
                [(_rate("cotton_verdicts_total", "code", verdict="refused|parked") + " > 0", "{{code}}")],
            ),
            Panel(
                "Clashes by policy",
                "rowsps",
                [(_rate("cotton_merge_outcomes_total", "policy, kept"), "{{policy}}: {{kept}}")],
            ),
            Panel(
                "Units of work that did not commit",
                "ops",
                [
                    (_rate("cotton_units_of_work_total", "end", end="failed|busy"), "{{end}}"),
                    (_rate("cotton_lost_races_total", "fault"), "again: {{fault}}"),
                ],
            ),
        ),
    ),
    (
        "Database",
        (
            _spread("Wait for the clock", "cotton_clock_wait_seconds"),
            _spread("Wait for a connection", "cotton_pool_wait_seconds"),
            Panel(
                "Connections of the pools",
                "short",
                [("sum by (instance, pool, state) (cotton_pool_connections)", "{{instance}} {{pool}} {{state}}")],
            ),
            _spread("Statements", "cotton_statement_seconds"),
            Panel(
                "Slow statements, work sent away",
                "ops",
                [
                    (f"sum(rate(cotton_slow_statements_total[{RATE}]))", "slow statements"),
                    (_rate("cotton_pool_timeouts_total", "pool"), "no connection: {{pool}}"),
                ],
            ),
            Panel(
                "How long somebody has held up others",
                "s",
                [
                    ("max(cotton_clock_held_seconds)", "holds a clock"),
                    ("max(cotton_lock_wait_seconds)", "waits for a lock"),
                    ("max(cotton_transaction_age_seconds)", "oldest transaction"),
                ],
            ),
            Panel(
                "Wear",
                "percentunit",
                [
                    ("max(cotton_freeze_age_ratio)", "on the way to no more writes"),
                    ("max(cotton_dead_rows_ratio)", "dead rows of the worst table"),
                ],
            ),
            Panel(
                "Size, and how far replicas are behind",
                "bytes",
                [("max(cotton_database_bytes)", "database"), ("max(cotton_replication_lag_bytes)", "behind")],
            ),
            Panel("Clock against the servers'", "s", [("cotton_time_skew_seconds", "{{instance}}")]),
            Panel("History moved back", "short", [("sum(increase(cotton_epochs_begun_total[1h]))", "epochs begun")]),
            Panel("Oldest event without a seal", "s", [("max(cotton_unsealed_seconds)", "waits")]),
        ),
    ),
    (
        "Live",
        (
            Panel(
                "Connections and subscriptions",
                "short",
                [
                    ("sum(cotton_live_connections)", "connections"),
                    ("sum(cotton_live_subscriptions)", "subscriptions"),
                ],
            ),
            _spread("From commit to hint", "cotton_hint_latency_seconds"),
            Panel(
                "Hints, and connections that were ended",
                "ops",
                [
                    (f"sum(rate(cotton_live_hints_total[{RATE}]))", "hints"),
                    (_rate("cotton_live_ended_total", "reason"), "ended: {{reason}}"),
                ],
            ),
            Panel(
                "Bus and Redis",
                "short",
                [
                    ("min(cotton_bus_up)", "bus"),
                    ("min(cotton_redis_up)", "Redis of the limits"),
                    (f"sum(increase(cotton_bus_lost_total[{RATE}]))", "bus lost"),
                ],
            ),
            Panel(
                "Jobs",
                "short",
                [
                    (_rate("cotton_jobs_total", "kind, end"), "a second: {{kind}} {{end}}"),
                    ("max by (state) (cotton_queued_jobs)", "{{state}}"),
                ],
            ),
            Panel(
                "Webhooks",
                "short",
                [
                    (_rate("cotton_webhook_attempts_total", "end"), "a second: {{end}}"),
                    ("max by (state) (cotton_webhook_deliveries)", "{{state}}"),
                ],
            ),
            Panel(
                "Notifications by mail and push",
                "short",
                [(_rate("cotton_letters_total", "way, end"), "a second: {{way}} {{end}}")],
            ),
            Panel("Messages with codes that wait", "short", [("sum(cotton_messages_waiting)", "waiting")]),
        ),
    ),
    (
        "Processes",
        (
            Panel(
                "Event loop late, p99",
                "s",
                [(_quantile(0.99, "cotton_event_loop_lag_seconds", "instance"), "{{instance}}")],
            ),
            Panel("Memory", "bytes", [('process_resident_memory_bytes{job="cotton-sync"}', "{{instance}}")]),
            Panel(
                "CPU",
                "percentunit",
                [(f'rate(process_cpu_seconds_total{{job="cotton-sync"}}[{RATE}])', "{{instance}}")],
            ),
            Panel("Open files", "short", [('process_open_fds{job="cotton-sync"}', "{{instance}}")]),
            Panel("Free disk of the data folder", "bytes", [("cotton_disk_free_bytes", "{{instance}}")]),
            Panel(
                "Looks at the database, upkeep",
                "ops",
                [
                    (_rate("cotton_samples_total", "end"), "look {{end}}"),
                    (_rate("cotton_upkeep_rounds_total", "end"), "upkeep {{end}}"),
                ],
            ),
        ),
    ),
)


def questions() -> Iterator[str]:
    """Give every question, as PromQL."""
    for _, panels in ROWS:
        for panel in panels:
            yield from (expression for expression, _ in panel.asks)
