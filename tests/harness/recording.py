"""What a handler looks at of a request: which parameters of the query and which headers it asks for by name.

Owns: the record of it.
Must not know: any route.
Invariant: whoever goes over all of them has looked at each.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from aiohttp import web
from multidict import CIMultiDictProxy, MultiDictProxy


class Looked:
    """Names that were looked at, of the query and of the headers (in small letters)."""

    def __init__(self) -> None:
        self.query: set[str] = set()
        self.headers: set[str] = set()

    def watch(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Take note of what every request of this process is asked for."""
        looked = self

        def query(request: web.BaseRequest) -> Any:
            return _Query(request.rel_url.query, looked.query)

        def headers(request: web.BaseRequest) -> Any:
            return _Headers(request._headers, looked.headers)

        monkeypatch.setattr(web.BaseRequest, "query", property(query))
        monkeypatch.setattr(web.BaseRequest, "headers", property(headers))


class _Query(MultiDictProxy[str]):
    def __init__(self, said: Any, names: set[str]) -> None:
        super().__init__(said)
        self._names = names

    def get(self, key: str, default: Any = None) -> Any:
        self._names.add(key.lower())
        return super().get(key, default)

    def __getitem__(self, key: str) -> str:
        self._names.add(key.lower())
        return super().__getitem__(key)

    def __contains__(self, key: object) -> bool:
        self._names.add(str(key).lower())
        return super().__contains__(key)

    def items(self) -> Any:
        self._names.update(name.lower() for name in self.keys())
        return super().items()

    def __iter__(self) -> Iterator[str]:
        self._names.update(name.lower() for name in self.keys())
        return super().__iter__()


class _Headers(CIMultiDictProxy[str]):
    def __init__(self, said: Any, names: set[str]) -> None:
        super().__init__(said)
        self._names = names

    def get(self, key: str, default: Any = None) -> Any:
        self._names.add(key.lower())
        return super().get(key, default)

    def getall(self, key: str, default: Any = None) -> Any:
        self._names.add(key.lower())
        return super().getall(key, default)

    def __getitem__(self, key: str) -> str:
        self._names.add(key.lower())
        return super().__getitem__(key)

    def __contains__(self, key: object) -> bool:
        self._names.add(str(key).lower())
        return super().__contains__(key)
