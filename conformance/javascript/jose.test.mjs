// What a resource server does: verify the JWT with jose through the published key set, strictly by RFC 9068.

import assert from "node:assert/strict";
import { before, test } from "node:test";
import { createRemoteJWKSet, jwtVerify } from "jose";
import { accessToken, clientId, issuer, tampered } from "./server.mjs";

const keys = createRemoteJWKSet(new URL(`${issuer}/.well-known/jwks.json`));
const strict = { issuer, audience: issuer, typ: "at+jwt", algorithms: ["ES256"], requiredClaims: ["sub", "jti", "exp"] };
let jwt;

before(async () => {
  jwt = await accessToken();
});

test("the JWT verifies through the remote key set", async () => {
  const { payload, protectedHeader } = await jwtVerify(jwt, keys, strict);
  assert.equal(payload.client_id, clientId);
  assert.ok(protectedHeader.kid, "the header names the key");
});

test("a tampered JWT is refused", async () => {
  await assert.rejects(jwtVerify(tampered(jwt), keys, strict), { code: "ERR_JWS_SIGNATURE_VERIFICATION_FAILED" });
});

test("a foreign audience is refused", async () => {
  const foreign = { ...strict, audience: "https://other.example" };
  await assert.rejects(jwtVerify(jwt, keys, foreign), { code: "ERR_JWT_CLAIM_VALIDATION_FAILED", claim: "aud" });
});

test("a foreign issuer is refused", async () => {
  const foreign = { ...strict, issuer: "https://other.example" };
  await assert.rejects(jwtVerify(jwt, keys, foreign), { code: "ERR_JWT_CLAIM_VALIDATION_FAILED", claim: "iss" });
});

test("the key set holds public keys only", async () => {
  const answer = await fetch(`${issuer}/.well-known/jwks.json`);
  const { keys: published } = await answer.json();
  assert.ok(published.length > 0, "at least one key is published");
  for (const key of published) assert.equal(key.d, undefined, "no private part is published");
});
