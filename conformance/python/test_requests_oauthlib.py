"""The exchange as Python programs do it, with requests-oauthlib, and a GraphQL query with the session that it gives."""

import pytest
from oauthlib.oauth2 import BackendApplicationClient, InvalidClientError, InvalidScopeError
from requests_oauthlib import OAuth2Session

from conftest import TIMEOUT


@pytest.fixture(autouse=True)
def plain_http_on_loopback(monkeypatch):
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")


def exchange(server, secret, scope=None, **how):
    session = OAuth2Session(client=BackendApplicationClient(server.client_id, scope=scope))
    session.fetch_token(server.token_url, client_secret=secret, timeout=TIMEOUT, **how)
    return session


def test_exchange_by_basic_gives_a_session_that_graphql_takes(server):
    session = exchange(server, server.client_secret, client_id=server.client_id)
    query = {"query": "{ viewer { scopes } }"}
    answer = session.post(f"{server.url}/graphql", json=query, timeout=TIMEOUT).json()
    assert sorted(answer["data"]["viewer"]["scopes"]) == sorted(session.token["scope"])


def test_exchange_by_form_gives_a_bearer_token(server):
    token = exchange(server, server.client_secret, include_client_id=True).token
    assert token["token_type"] == "Bearer"
    assert token["expires_in"] == 600


def test_a_narrower_scope_is_granted_as_asked(server):
    session = exchange(server, server.client_secret, scope=["keys:read"], client_id=server.client_id)
    assert session.token["scope"] == ["keys:read"]


def test_a_scope_that_the_key_does_not_hold_is_invalid_scope(server):
    with pytest.raises(InvalidScopeError):
        exchange(server, server.client_secret, scope=["settings:write"], client_id=server.client_id)


def test_a_wrong_secret_by_basic_is_invalid_client(server):
    with pytest.raises(InvalidClientError) as refused:
        exchange(server, server.wrong_secret, client_id=server.client_id)
    assert refused.value.status_code == 401


def test_a_wrong_secret_by_form_is_invalid_client(server):
    with pytest.raises(InvalidClientError) as refused:
        exchange(server, server.wrong_secret, include_client_id=True)
    assert refused.value.status_code == 401
