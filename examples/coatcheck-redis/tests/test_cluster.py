"""A node of a cluster: all keys of a store are in one slot."""

from __future__ import annotations

from uuid import UUID

import pytest
from asking import NOW, Asking, record
from redis_server import RedisServer

from coatcheck import BackendUnavailable, Where


def test_every_hook_works_within_one_slot(face: str) -> None:
    settings = {"cluster_enabled": "yes", "cluster_require_full_coverage": "no"}
    with RedisServer(**settings) as server, server.client() as client:
        slot = client.execute_command("CLUSTER", "KEYSLOT", "{coatcheck}")
        client.execute_command("CLUSTER", "ADDSLOTS", slot)
        while b"cluster_state:ok" not in client.execute_command("CLUSTER", "INFO"):
            pass
        with Asking(face, server.url) as store:
            row = record(1)
            store.ask("insert", row)
            assert store.ask("load", row.id) == row
            assert store.ask("touch", row.id, NOW + 1)
            assert store.ask("replace_key_hash", row.id, row.key_hash, "$2", "p")
            row = row._replace(last_used_at=NOW + 1, key_hash="$2", pepper_id="p")
            assert store.ask("update", row.id, {}, Where()) == row
            assert store.ask("find", Where(), None, 10) == [row]
            assert store.ask("count", Where(user_id="ann")) == 1
            ended = Where(state=frozenset({"expired", "inactive"}), now=NOW)
            assert store.ask("purge", ended, 10) == 0
            assert len(store.ask("delete_where", Where(), frozenset[UUID]())) == 1
            slots = {client.execute_command("CLUSTER", "KEYSLOT", k) for k in client.scan_iter()}
            assert slots == {slot}


def test_another_nodes_slot_is_an_error_and_nothing_happens(face: str) -> None:
    with RedisServer(cluster_enabled="yes", cluster_require_full_coverage="no") as server:
        with server.client() as client:
            client.execute_command("CLUSTER", "ADDSLOTS", 0)
        with pytest.raises(BackendUnavailable), Asking(face, server.url):
            pass
