"""Clients of the Xray kind send JSON to /api/v2/authenticate and take the answer, a bare JSON string, as the token."""

import requests

from conftest import TIMEOUT


def authenticate(server, secret):
    body = {"client_id": server.client_id, "client_secret": secret}
    return requests.post(f"{server.url}/api/v2/authenticate", json=body, timeout=TIMEOUT)


# Proves: X-06
def test_the_answer_is_a_bare_json_string_that_works_on_graphql(server):
    answer = authenticate(server, server.client_secret)
    assert answer.status_code == 200
    assert answer.headers["content-type"].split(";")[0] == "application/json"
    token = answer.json()
    assert isinstance(token, str)
    assert token == answer.text.strip().strip('"')
    assert "keys:read" in server.graphql(token).json()["data"]["viewer"]["scopes"]


def test_the_answer_is_not_kept_by_caches(server):
    assert "no-store" in authenticate(server, server.client_secret).headers["cache-control"]


def test_a_wrong_secret_is_invalid_client(server):
    answer = authenticate(server, server.wrong_secret)
    assert answer.status_code == 401
    assert answer.json()["error"] == "invalid_client"
