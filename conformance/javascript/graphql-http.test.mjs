// GraphQL over HTTP as the reference implementation audits it: media types, GET and POST, and the status of every answer.

import assert from "node:assert/strict";
import { before, test } from "node:test";
import { serverAudits } from "graphql-http";
import { accessToken, issuer } from "./server.mjs";

let token;

before(async () => {
  token = await accessToken();
});

function authorized(url, init = {}) {
  return fetch(url, { ...init, headers: { ...init.headers, authorization: `Bearer ${token}` } });
}

const audits = serverAudits({ url: `${issuer}/graphql`, fetchFn: authorized });

for (const audit of audits) {
  test(`${audit.id} ${audit.name}`, async () => {
    const result = await audit.fn();
    assert.equal(result.status, "ok", result.reason);
  });
}

test("every audit that there is was made", () => {
  assert.equal(audits.length, 61);
});
