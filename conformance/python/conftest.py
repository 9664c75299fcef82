"""What every Python check shares: the server under test from the environment, a signed JWT, and a report of one line a
check for conformance/run, which counts them."""

import base64
import json
import os
from dataclasses import dataclass

import pytest
import requests

# What takes as long as this hangs.
TIMEOUT = 120


@dataclass(frozen=True, repr=False)
class Server:
    url: str
    client_id: str
    client_secret: str
    wrong_secret: str

    @property
    def token_url(self):
        return f"{self.url}/oauth/token"

    def graphql(self, jwt, query="{ viewer { scopes } }"):
        headers = {"Authorization": f"Bearer {jwt}"}
        return requests.post(f"{self.url}/graphql", json={"query": query}, headers=headers, timeout=TIMEOUT)


@pytest.fixture(scope="session")
def server():
    names = ("SERVER_URL", "CLIENT_ID", "CLIENT_SECRET", "WRONG_SECRET")
    return Server(*(os.environ[name] for name in names))


@pytest.fixture(scope="session")
def jwt_text(server):
    form = {"grant_type": "client_credentials"}
    basic = (server.client_id, server.client_secret)
    answer = requests.post(server.token_url, data=form, auth=basic, timeout=TIMEOUT)
    answer.raise_for_status()
    return answer.json()["access_token"]


def encode_part(part):
    raw = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decode_part(text):
    return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))


@pytest.fixture(scope="session")
def tampered(jwt_text):
    """The JWT with one more scope in its claims under the old signature."""
    header, claims, signature = jwt_text.split(".")
    changed = decode_part(claims)
    changed["scope"] += " settings:write"
    return ".".join((header, encode_part(changed), signature))


def check_name(nodeid):
    path, _, name = nodeid.partition("::")
    group = os.path.basename(path).removeprefix("test_").removesuffix(".py").replace("_", "-")
    return f"{group}: {name.removeprefix('test_').replace('_', ' ')}" if name else group


def say_failed(nodeid, reason):
    print(f"FAIL  {check_name(nodeid)}\n      {reason}", flush=True)


def pytest_runtest_logreport(report):
    if report.skipped:
        say_failed(report.nodeid, "skipped")
    elif report.failed:
        crash = getattr(report.longrepr, "reprcrash", None)
        say_failed(report.nodeid, crash.message if crash else report.longreprtext)
    elif report.when == "call":
        print(f"pass  {check_name(report.nodeid)}", flush=True)


def pytest_collectreport(report):
    if report.failed:
        say_failed(report.nodeid, report.longreprtext)
