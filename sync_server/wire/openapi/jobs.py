"""Jobs, described: what waits and runs, what failed for good, asking for that again.

Owns: the shapes of their answers.
Must not know: engine, store.
Invariant: what is here is what web/jobs.py answers (tests/contract/test_openapi.py, tests/integration/test_jobs_api.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sync_server.wire.openapi.operations import Answer, Operation, path
from sync_server.wire.openapi.shapes import choice, id_of, listed, moment, shape, text, whole

TAG: Final = "Jobs"

_COMMON: Final = {"id": whole(least=1), "kind": text("Such as expire."), "failures": whole(least=0)}
_WAITING: Final = shape(
    {**_COMMON, "state": choice("waiting", "running"), "asked_at": moment("Asked for."), "due_at": moment("Due.")}
)
_DEAD: Final = shape(
    {**_COMMON, "error": text("The last error."), "asked_at": moment("Asked for."), "died_at": moment("Given up.")}
)

OPERATIONS: Final[Mapping[tuple[str, str], Operation]] = {
    ("GET", "/api/v1/jobs"): Operation(
        *("listJobs", TAG, "List the jobs of the organisation that wait and run"),
        {200: Answer("The soonest first; 200 at most.", shape({"jobs": listed(_WAITING)}))},
    ),
    ("GET", "/api/v1/jobs/dead"): Operation(
        *("listDeadJobs", TAG, "List the jobs of the organisation that failed for good"),
        {200: Answer("The newest first; 200 at most.", shape({"jobs": listed(_DEAD)}))},
    ),
    ("POST", "/api/v1/jobs/dead/{job_id}/retry"): Operation(
        *("retryDeadJob", TAG, "Ask for a job again that failed for good"),
        {204: Answer("It waits again.")},
        parameters=(path("job_id", id_of("the job")),),
        codes=("not_found",),
    ),
}
