"""What a resource server in Python does: verify the JWT with PyJWT through the published key set. What PyJWT refuses
is sent to Latchkey's own endpoint too, which must refuse it as well."""

import hashlib
import hmac

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt import PyJWKClient

from conftest import TIMEOUT, encode_part

REQUIRED = {"require": ["aud", "client_id", "exp", "iat", "iss", "jti", "sub"]}


@pytest.fixture(scope="module")
def key(server, jwt_text):
    keys = PyJWKClient(f"{server.url}/.well-known/jwks.json", timeout=TIMEOUT)
    return keys.get_signing_key_from_jwt(jwt_text)


def verify(server, text, key, audience=None, algorithms=("ES256",)):
    audience = audience or server.url
    return jwt.decode(text, key, list(algorithms), REQUIRED, audience=audience, issuer=server.url)


@pytest.fixture(scope="module")
def signed_with_the_public_key(jwt_text, key):
    """The old confusion: HS256 with the public key, which everybody knows, as the shared secret."""
    header = {**jwt.get_unverified_header(jwt_text), "alg": "HS256"}
    signed = f"{encode_part(header)}.{jwt_text.split('.')[1]}"
    public = key.key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return f"{signed}.{encode_part(hmac.digest(public, signed.encode(), hashlib.sha256))}"


def test_the_jwt_verifies_through_the_key_set(server, jwt_text, key):
    claims = verify(server, jwt_text, key)
    assert claims["client_id"] == server.client_id
    assert claims["exp"] - claims["iat"] == 600
    assert jwt.get_unverified_header(jwt_text)["typ"] == "at+jwt"


def test_a_tampered_jwt_is_refused(server, tampered, key):
    with pytest.raises(jwt.InvalidSignatureError):
        verify(server, tampered, key)
    assert server.graphql(tampered).status_code == 401


def test_a_foreign_audience_is_refused(server, jwt_text, key):
    with pytest.raises(jwt.InvalidAudienceError):
        verify(server, jwt_text, key, audience="https://other.example")


def test_the_jwt_is_refused_where_hs256_is_expected(server, jwt_text, key):
    with pytest.raises(jwt.InvalidAlgorithmError):
        verify(server, jwt_text, key, algorithms=["HS256"])


def test_hs256_with_the_public_key_is_refused(server, signed_with_the_public_key, key):
    with pytest.raises(jwt.InvalidAlgorithmError):
        verify(server, signed_with_the_public_key, key)
    assert server.graphql(signed_with_the_public_key).status_code == 401


def test_an_unsigned_jwt_is_refused(server, jwt_text, key):
    header = {**jwt.get_unverified_header(jwt_text), "alg": "none"}
    unsigned = f"{encode_part(header)}.{jwt_text.split('.')[1]}."
    with pytest.raises(jwt.InvalidAlgorithmError):
        verify(server, unsigned, key)
    assert server.graphql(unsigned).status_code == 401
