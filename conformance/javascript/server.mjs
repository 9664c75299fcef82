// What every JavaScript check needs to know about the server under test: where it is, one key that it made,
// and the secret of another key, which is well formed but wrong for the first.

import assert from "node:assert/strict";
import path from "node:path";
import { fileURLToPath } from "node:url";

function given(name) {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: start the checks with conformance/run`);
  return value;
}

export const issuer = given("SERVER_URL");
export const clientId = given("CLIENT_ID");
export const clientSecret = given("CLIENT_SECRET");
export const wrongSecret = given("WRONG_SECRET");

/** The JWT with one more scope in its claims under the old signature. */
export function tampered(jwt) {
  const [header, claims, signature] = jwt.split(".");
  const changed = JSON.parse(Buffer.from(claims, "base64url").toString());
  changed.scope = `${changed.scope} settings:write`;
  return [header, Buffer.from(JSON.stringify(changed)).toString("base64url"), signature].join(".");
}

/** The repository, and its public schema. */
export const root = fileURLToPath(new URL("../..", import.meta.url));
export const schemaFile = path.join(root, "schema.graphql");
/** The example for frontends, and its documents, which the server was told to know. */
export const frontend = path.join(root, "examples/frontend");
export const documentsFile = path.join(frontend, "src/gql/persisted-documents.json");

/** An access token of that key; with a scope, one that can do no more than that. */
export async function accessToken(scope) {
  const form = { grant_type: "client_credentials", client_id: clientId, client_secret: clientSecret };
  const body = new URLSearchParams(scope === undefined ? form : { ...form, scope });
  const answer = await fetch(`${issuer}/oauth/token`, { method: "POST", body });
  assert.equal(answer.status, 200, "the exchange succeeds");
  return (await answer.json()).access_token;
}

/** The answer to one GraphQL request, as it is. */
export async function graphql(token, body) {
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  const answer = await fetch(`${issuer}/graphql`, { method: "POST", headers, body: JSON.stringify(body) });
  return answer.json();
}
