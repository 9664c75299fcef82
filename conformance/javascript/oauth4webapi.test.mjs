// The client-credentials exchange as oauth4webapi does it, which checks every answer against the RFCs: discovery
// (RFC 8414), both ways to send a secret (RFC 6749), and the access token itself (RFC 9068).

import assert from "node:assert/strict";
import { test } from "node:test";
import * as oauth from "oauth4webapi";
import { clientId, clientSecret, issuer, tampered, wrongSecret } from "./server.mjs";

const loopback = { [oauth.allowInsecureRequests]: true };
const client = { client_id: clientId };

async function discover(algorithm = "oauth2") {
  const response = await oauth.discoveryRequest(new URL(issuer), { algorithm, ...loopback });
  return oauth.processDiscoveryResponse(new URL(issuer), response);
}

async function exchange(as, authentication, parameters = {}) {
  const response = await oauth.clientCredentialsGrantRequest(as, client, authentication, parameters, loopback);
  return oauth.processClientCredentialsResponse(as, client, response);
}

function requestWith(jwt) {
  return new Request(`${issuer}/graphql`, { method: "POST", headers: { authorization: `Bearer ${jwt}` } });
}

function validate(as, jwt, audience = issuer) {
  return oauth.validateJwtAccessToken(as, requestWith(jwt), audience, { signingAlgorithms: ["ES256"], ...loopback });
}

for (const [algorithm, name] of [["oauth2", "authorization server"], ["oidc", "OpenID"]]) {
  test(`discovery by the ${name} address names the endpoints`, async () => {
    const as = await discover(algorithm);
    assert.equal(as.issuer, issuer);
    assert.equal(as.token_endpoint, `${issuer}/oauth/token`);
    assert.equal(as.jwks_uri, `${issuer}/.well-known/jwks.json`);
    assert.ok(as.grant_types_supported.includes("client_credentials"), "the grant is announced");
    for (const method of ["client_secret_basic", "client_secret_post"]) {
      assert.ok(as.token_endpoint_auth_methods_supported.includes(method), `${method} is announced`);
    }
  });
}

for (const [name, authentication] of [
  ["client_secret_basic", oauth.ClientSecretBasic(clientSecret)],
  ["client_secret_post", oauth.ClientSecretPost(clientSecret)],
]) {
  // Proves
  test(`exchange by ${name} gives a bearer token`, async () => {
    const answer = await exchange(await discover(), authentication);
    assert.equal(answer.token_type, "bearer");
    assert.equal(answer.expires_in, 600);
    assert.ok(answer.scope.split(" ").includes("keys:read"), "the scopes of the key's role are granted");
  });
}

test("a narrower scope is granted as asked", async () => {
  const answer = await exchange(await discover(), oauth.ClientSecretBasic(clientSecret), { scope: "activity:read" });
  assert.equal(answer.scope, "activity:read");
});

test("a scope that the key does not hold is invalid_scope", async () => {
  const attempt = exchange(await discover(), oauth.ClientSecretBasic(clientSecret), { scope: "settings:write" });
  await assert.rejects(attempt, { name: "ResponseBodyError", error: "invalid_scope", status: 400 });
});

test("validateJwtAccessToken accepts the JWT", async () => {
  const as = await discover();
  const { access_token: jwt, expires_in: lifetime, scope } = await exchange(as, oauth.ClientSecretBasic(clientSecret));
  const claims = await validate(as, jwt);
  assert.equal(claims.client_id, clientId);
  assert.equal(claims.scope, scope);
  assert.equal(claims.exp - claims.iat, lifetime);
  assert.match(claims.sub, /^svc_/);
});

test("validateJwtAccessToken refuses a tampered JWT and a foreign audience", async () => {
  const as = await discover();
  const { access_token: jwt } = await exchange(as, oauth.ClientSecretBasic(clientSecret));
  await assert.rejects(validate(as, tampered(jwt)), /JWT signature verification failed/);
  await assert.rejects(validate(as, jwt, "https://other.example"), /"aud" \(audience\)/);
});

test("a wrong secret by client_secret_post is invalid_client", async () => {
  const attempt = exchange(await discover(), oauth.ClientSecretPost(wrongSecret));
  await assert.rejects(attempt, { name: "ResponseBodyError", error: "invalid_client", status: 401 });
});

test("a wrong secret by client_secret_basic is a Basic challenge with invalid_client", async () => {
  const error = await exchange(await discover(), oauth.ClientSecretBasic(wrongSecret)).catch((refusal) => refusal);
  assert.equal(error.name, "WWWAuthenticateChallengeError");
  assert.equal(error.status, 401);
  assert.equal(error.cause[0].scheme, "basic");
  assert.equal((await error.response.json()).error, "invalid_client");
});

test("introspection and revocation answer as RFC 7662 and RFC 7009 say", async () => {
  const as = await discover();
  assert.equal(as.introspection_endpoint, `${issuer}/oauth/introspect`);
  assert.equal(as.revocation_endpoint, `${issuer}/oauth/revoke`);
  const authentication = oauth.ClientSecretPost(clientSecret);
  const { access_token: jwt, scope } = await exchange(as, authentication);
  const introspect = async () => {
    const response = await oauth.introspectionRequest(as, client, authentication, jwt, loopback);
    return oauth.processIntrospectionResponse(as, client, response);
  };
  const claims = await validate(as, jwt);
  const { exp, iat, jti, sub } = claims;
  const expected = { active: true, scope, client_id: clientId, sub, aud: [issuer], iss: issuer, exp, iat, jti, token_type: "Bearer" };
  assert.deepEqual(await introspect(), expected);
  const revoked = await oauth.revocationRequest(as, client, authentication, jwt, loopback);
  assert.equal(await oauth.processRevocationResponse(revoked), undefined);
  assert.deepEqual(await introspect(), { active: false });
});

test("a wrong secret cannot introspect", async () => {
  const as = await discover();
  const response = await oauth.introspectionRequest(as, client, oauth.ClientSecretPost(wrongSecret), "unknown", loopback);
  await assert.rejects(oauth.processIntrospectionResponse(as, client, response), { error: "invalid_client", status: 401 });
});
