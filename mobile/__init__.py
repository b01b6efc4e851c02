"""What belongs to the phone: a device in Python (`replica`), the generator of the app's schema, and the TypeScript SDK.

Must not know: the server. `replica*` judges it and shares no code with it; `generate` reads `erp_core.catalogue` alone
(tests/unit/test_replica.py::test_the_device_shares_no_code_with_the_server).
"""
