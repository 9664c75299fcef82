// The same exchange with openid-client, the library that most Node.js services use: discovery and grant in two calls.

import assert from "node:assert/strict";
import { test } from "node:test";
import * as openid from "openid-client";
import { clientId, clientSecret, issuer, wrongSecret } from "./server.mjs";

function configure(authentication) {
  const options = { algorithm: "oauth2", execute: [openid.allowInsecureRequests] };
  return openid.discovery(new URL(issuer), clientId, undefined, authentication, options);
}

test("discovery and exchange give a token that GraphQL takes", async () => {
  const config = await configure(openid.ClientSecretBasic(clientSecret));
  const tokens = await openid.clientCredentialsGrant(config);
  const headers = new Headers({ "content-type": "application/json" });
  const body = JSON.stringify({ query: "{ viewer { scopes } }" });
  const url = new URL(`${issuer}/graphql`);
  const answer = await openid.fetchProtectedResource(config, tokens.access_token, url, "POST", body, headers);
  const { data } = await answer.json();
  assert.deepEqual(data.viewer.scopes.toSorted(), tokens.scope.split(" ").toSorted());
});

test("a wrong secret is invalid_client", async () => {
  const config = await configure(openid.ClientSecretPost(wrongSecret));
  await assert.rejects(openid.clientCredentialsGrant(config), { name: "ResponseBodyError", error: "invalid_client" });
});

for (const [name, authentication] of [
  ["client_secret_basic", openid.ClientSecretBasic(clientSecret)],
  ["client_secret_post", openid.ClientSecretPost(clientSecret)],
]) {
  // Proves: R-22
  test(`tokenIntrospection and tokenRevocation by ${name}: a token lives until it is revoked`, async () => {
    const config = await configure(authentication);
    const [one, other] = [await openid.clientCredentialsGrant(config), await openid.clientCredentialsGrant(config)];
    const told = await openid.tokenIntrospection(config, one.access_token);
    assert.deepEqual([told.active, told.client_id, told.scope], [true, clientId, one.scope]);
    for (let times = 0; times < 2; times += 1) await openid.tokenRevocation(config, one.access_token);
    assert.deepEqual(await openid.tokenIntrospection(config, one.access_token), { active: false });
    assert.equal((await openid.tokenIntrospection(config, other.access_token)).active, true);
    assert.deepEqual(await openid.tokenIntrospection(config, "unknown"), { active: false });
  });
}
