// The example for frontends against the server: its three clients do the whole tour, send ids instead of documents, see
// errors by their code, and get a new token when theirs is refused. conformance/run has built it.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { parse } from "graphql";
import { accessToken, clientId, clientSecret, documentsFile, frontend, issuer as server, tampered } from "./server.mjs";

const load = (name) => import(path.join(frontend, "dist", `${name}.js`));
const { withApollo } = await load("apollo");
const { Failure, idOf } = await load("execute");
const { withFetch } = await load("fetch");
const { apiKeysQuery, createApiKeyMutation, viewerQuery } = await load("queries");
const { authorized, clientCredentials, handedIn } = await load("token");
const { withUrql } = await load("urql");

const manifest = JSON.parse(await readFile(documentsFile, "utf8"));
const CLIENTS = { apollo: withApollo, fetch: withFetch, urql: withUrql };

/** Runs something and gives what it resolved to, with all requests that it made. */
async function recorded(run) {
  const original = globalThis.fetch;
  const requests = [];
  globalThis.fetch = async (input, init) => {
    const request = new Request(input, init);
    const body = await request.clone().text();
    const answer = await original(request);
    requests.push({ method: request.method, url: new URL(request.url), body, status: answer.status });
    return answer;
  };
  try {
    return [await run(), requests];
  } finally {
    globalThis.fetch = original;
  }
}

/** The parameters of a GraphQL request, in the address or in the body. */
function parametersOf({ method, url, body }) {
  if (method === "POST") return JSON.parse(body);
  const { extensions, ...others } = Object.fromEntries(url.searchParams);
  return { ...others, ...(extensions && { extensions: JSON.parse(extensions) }) };
}

function idSent({ documentId, extensions }) {
  return documentId ?? `sha256:${extensions.persistedQuery.sha256Hash}`;
}

const TOUR = [
  /^viewer: operator with \d+ scopes$/,
  /^active keys: [2-9]\d*$/,
  /^made a key, its secret has 55 characters$/,
  /^made it again: NAME_TAKEN at input\.name$/,
  /^gave it a new secret: 2 work for a minute$/,
  /^deleted 1 key$/,
];

for (const client of Object.keys(CLIENTS)) {
  for (const documents of ["ids", "text"]) {
    // Proves: D-07
    test(`npm start -- ${client}, sending ${documents}`, async () => {
      const environment = { ...process.env, SERVER_URL: server, DOCUMENTS: documents };
      const { stdout, stderr } = await promisify(execFile)(
        "npm", ["start", "--silent", "--", client], { cwd: frontend, env: environment });
      const lines = stdout.trimEnd().split("\n");
      assert.equal(lines.length, TOUR.length);
      lines.forEach((line, number) => assert.match(line, TOUR[number]));
      assert.doesNotMatch(stdout + stderr, /lk_sk_|eyJ/, "neither a secret nor a token is printed");
    });
  }
}

test("the ids of the manifest are the hashes of its texts", () => {
  for (const [id, text] of Object.entries(manifest)) {
    assert.equal(id, `sha256:${createHash("sha256").update(text).digest("hex")}`);
  }
});

for (const [name, connect] of Object.entries(CLIENTS)) {
  test(`${name} sends ids and never a text`, async () => {
    const execute = connect({ server, tokens: handedIn(await accessToken()), documents: "ids" });
    const [, requests] = await recorded(async () => {
      await execute(viewerQuery, {});
      await execute(apiKeysQuery, { first: 1 });
      await execute(createApiKeyMutation, { input: { name: "" } });
    });
    const sent = requests.map(parametersOf);
    assert.deepEqual(sent.map(idSent), [viewerQuery, apiKeysQuery, createApiKeyMutation].map(idOf));
    assert.deepEqual(sent.flatMap((parameters) => parameters.query ?? []), []);
    assert.ok(sent.every((parameters) => idSent(parameters) in manifest), "all are in the manifest");
  });

  test(`${name} names a document that the server does not know`, async () => {
    const execute = connect({ server, tokens: handedIn(await accessToken()), documents: "ids" });
    const unknown = Object.assign(parse("{ viewer { scopes } }"), { __meta__: { hash: `sha256:${"0".repeat(64)}` } });
    const [, [{ status }]] = await recorded(() => assert.rejects(execute(unknown, {}), (failure) => {
      assert.ok(failure instanceof Failure, String(failure));
      assert.equal(failure.code, "PERSISTED_DOCUMENT_NOT_FOUND");
      return true;
    }));
    assert.equal(status, 404);
  });

  test(`${name} is told which scopes are missing`, async () => {
    const execute = connect({ server, tokens: handedIn(await accessToken("activity:read")), documents: "ids" });
    await assert.rejects(execute(apiKeysQuery, { first: 1 }), (failure) => {
      assert.ok(failure instanceof Failure, String(failure));
      assert.equal(failure.code, "FORBIDDEN");
      assert.deepEqual(failure.requiredScopes, ["keys:read", "keys:read:any"]);
      assert.match(failure.requestId, /^[0-9a-f]{32}$/);
      return true;
    });
  });

  test(`${name} says that a token which was handed in is refused`, async () => {
    const execute = connect({ server, tokens: handedIn(tampered(await accessToken())), documents: "ids" });
    const [, requests] = await recorded(() => assert.rejects(execute(viewerQuery, {}), { code: "UNAUTHENTICATED" }));
    assert.deepEqual(requests.map(({ status }) => status), [401]);
  });
}

test("one exchange serves many requests, and a refused token is renewed once for all", async () => {
  const tokens = clientCredentials({ server, clientId, clientSecret });
  const [[first, second], exchanges] = await recorded(() => Promise.all([tokens.current(), tokens.current()]));
  assert.equal(exchanges.length, 1);
  assert.ok(first === second, "both get the same token");
  const [[third, fourth], renewals] = await recorded(() => Promise.all([tokens.renewed(first), tokens.renewed(first)]));
  assert.equal(renewals.length, 1);
  assert.ok(third === fourth && third !== first, "both get the same new token");
  assert.ok((await tokens.current()) === third, "it is kept");
});

test("a request with a refused token is sent again with a new one, and only once", async () => {
  const bad = tampered(await accessToken());
  const good = await accessToken();
  const ask = (renewed) => recorded(() => authorized({ current: async () => bad, renewed })(`${server}/graphql`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ query: "{ viewer { scopes } }" }),
  }));
  const [answer, requests] = await ask(async () => good);
  assert.equal(answer.status, 200);
  assert.deepEqual(requests.map(({ status }) => status), [401, 200]);
  const [refused, more] = await ask(async () => bad);
  assert.equal(refused.status, 401);
  assert.equal(more.length, 2);
});

test("a wrong secret is told in the server's words", async () => {
  const tokens = clientCredentials({ server, clientId, clientSecret: "lk_sk_wrong" });
  await assert.rejects(tokens.current(), /^Error: No token: /);
});

const WRONG = `
  import type { Execute } from "./execute.js";
  import { apiKeysQuery } from "./queries.js";
  declare const execute: Execute;
  const { apiKeys } = await execute(apiKeysQuery, { first: "one" });
  for (const key of apiKeys?.nodes ?? []) {
    const text: number = key.name;
    console.log(text, key.clientid);
  }
  export {};
`;

// What the types are worth: the compiler refuses a wrong variable, a wrong use of an answer and a misspelt field.
test("the generated types know variables and answers", () => {
  const typescript = createRequire(path.join(frontend, "package.json"))("typescript");
  const { config } = typescript.readConfigFile(path.join(frontend, "tsconfig.build.json"), typescript.sys.readFile);
  const { options } = typescript.parseJsonConfigFileContent(config, typescript.sys, frontend);
  const host = typescript.createCompilerHost(options);
  const wrong = path.join(frontend, "src", "wrong.ts");
  const { getSourceFile } = host;
  host.getSourceFile = (name, ...others) => name === wrong
    ? typescript.createSourceFile(name, WRONG, ...others)
    : getSourceFile.call(host, name, ...others);
  const program = typescript.createProgram([wrong], options, host);
  const found = program.getSemanticDiagnostics(program.getSourceFile(wrong));
  assert.deepEqual(found.map(({ start }) => WRONG.slice(start).match(/^[\w"]+/)[0]), ["first", "text", "clientid"]);
});
