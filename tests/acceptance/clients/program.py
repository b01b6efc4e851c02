"""Logs in, lists partners and makes one, with nothing but the client that was generated from the document.

Owns: what such a program does.
Must not know: HTTP, JSON; the client knows both.
Invariant: it runs against a server (tests/acceptance/test_generated_clients.py).
"""

from __future__ import annotations

import json
import sys

from cotton_client import AuthenticatedClient, Client  # type: ignore[import-not-found]
from cotton_client.api.business_partner import (  # type: ignore[import-not-found]
    create_business_partner,
    list_business_partners,
    read_business_partner,
)
from cotton_client.api.login import log_in  # type: ignore[import-not-found]
from cotton_client.models import (  # type: ignore[import-not-found]
    BusinessPartner,
    LogInBody,
    NewBusinessPartner,
    Problem,
)


def main(server: str, username: str, password: str) -> None:
    tokens = log_in.sync(client=Client(server), body=LogInBody(username=username, password=password))
    client = AuthenticatedClient(server, tokens.access_token)
    page = list_business_partners.sync(client=client, limit=3)
    wanted = NewBusinessPartner(branch_id="DemoBranchRajkot", kind='["seller"]', legal_name="Typed Ginning")
    made = create_business_partner.sync(client=client, body=wanted)
    assert isinstance(made, BusinessPartner), made
    missing = read_business_partner.sync("nobody", client=client)
    assert isinstance(missing, Problem), missing
    names = [partner.legal_name for partner in page.records]
    print(json.dumps({"names": names, "state": made.state, "id": made.id, "missing": missing.code}))


if __name__ == "__main__":
    main(*sys.argv[1:])
