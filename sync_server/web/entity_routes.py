"""The routes that every entity has, made from its declaration.

Must not know: what a handler does.
Invariant: an operation that its declaration gives to nobody has no route (tests/integration/test_permissions.py).
"""

from __future__ import annotations

from collections.abc import Iterator

from erp_core.catalogue import ENTITIES
from erp_core.commands import of_entity
from erp_core.makers import makers_of
from sync_server.web.bulk import Bulk
from sync_server.web.commands import Commanded, Making
from sync_server.web.history import Histories
from sync_server.web.permissions import Route
from sync_server.web.records import Records
from sync_server.web.table_files import TableFiles


def entity_routes() -> Iterator[Route]:
    """The five operations on every entity, and its table as a file; what only the server does has no route."""
    for entity in ENTITIES:
        handlers, access = Records(entity), entity.access
        one = f"{handlers.path}/{{id}}"
        operations = (
            ("GET", handlers.path, handlers.list, access.read),
            ("GET", one, handlers.get, access.read),
            ("POST", handlers.path, handlers.create, access.create),
            ("PATCH", one, handlers.change, access.update),
            ("DELETE", one, handlers.delete, access.delete),
        )
        for operation in operations:
            if operation[3]:
                # A write is asked here too, before its body is read.
                yield Route(*operation, by_engine=operation[0] == "GET")
        many, writes = Bulk(handlers), (*access.create, *access.update, *access.delete)
        if writes:
            yield Route("POST", many.path, many.write, tuple(dict.fromkeys(writes)))
        past = Histories(handlers)
        yield Route("GET", past.path, past.history, access.read, by_engine=True)
        if access.update:
            yield Route("POST", past.restore_path, past.restore, access.update)
        for handler in map(Commanded, of_entity(entity)):
            yield Route("POST", handler.path, handler.do, handler.asked.needs)
        for maker in map(Making, makers_of(entity)):
            yield Route("POST", maker.path, maker.do, maker.asked.needs)
        files = TableFiles(entity)
        yield Route("GET", files.path_out, files.take_out, access.read, by_engine=True)
        if access.create:
            yield Route("POST", files.path_in, files.bring_in, access.create)
