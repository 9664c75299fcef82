// Relay's compiler takes the schema and a project that pages through connections and fetches objects again by their
// id, and the server answers the queries that the compiler wrote.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import compiler from "relay-compiler";
import { accessToken, graphql, schemaFile } from "./server.mjs";

const require = createRequire(import.meta.url);
const sources = fileURLToPath(new URL("../relay", import.meta.url));
const settings = {
  src: ".",
  language: "javascript",
  schema: "schema.graphql",
  artifactDirectory: "generated",
  eagerEsModules: false,
  customScalarTypes: { Cidr: "string", DateTime: "string", JSON: "mixed", Long: "number" },
};
let scratch, token;

before(async () => {
  scratch = await mkdtemp(path.join(tmpdir(), "latchkey-relay-"));
  token = await accessToken();
  await compile("good", (source) => source);
});

after(() => rm(scratch, { recursive: true }));

async function compile(name, change) {
  const cwd = path.join(scratch, name);
  await mkdir(path.join(cwd, "generated"), { recursive: true });
  await writeFile(path.join(cwd, "keys.js"), change(await readFile(path.join(sources, "keys.js"), "utf8")));
  await writeFile(path.join(cwd, "relay.config.json"), JSON.stringify(settings));
  await cp(schemaFile, path.join(cwd, settings.schema));
  await promisify(execFile)(compiler, ["relay.config.json", "--noWatchman"], { cwd });
}

const compiled = (name) => require(path.join(scratch, "good", "generated", `${name}.graphql.js`));

async function fetchQuery(name, variables) {
  const { text: query } = compiled(name).params;
  const { data, errors } = await graphql(token, { query, variables });
  assert.deepEqual(errors, undefined);
  return data;
}

test("the compiler knows the connections and how to fetch their next page", () => {
  for (const [fragment, query] of [["keys_own", "keysOwnPaginationQuery"], ["keys_all", "keysAllPaginationQuery"]]) {
    const { connection, refetch } = compiled(fragment).metadata;
    assert.deepEqual(connection[0].path.at(-1), "apiKeys");
    assert.deepEqual(refetch.connection.forward, { count: "count", cursor: "cursor" });
    assert.equal(refetch.operation.params?.name ?? refetch.operation.name, query);
  }
});

test("the compiler refuses a field that the schema does not have", async () => {
  const misspelt = compile("bad", (source) => source.replace("expiresAt", "expires"));
  await assert.rejects(misspelt, ({ stdout, stderr }) => /type `ApiKey` has no field `expires`/.test(stdout + stderr));
});

test("the server answers the compiled queries, page by page", async () => {
  const first = await fetchQuery("keysQuery", { count: 1 });
  const { edges: [edge], pageInfo } = first.apiKeys;
  assert.deepEqual(first.viewer.apiKeys.edges[0].node.id, edge.node.id);
  assert.ok(pageInfo.hasNextPage, "there are two keys");
  for (const query of ["keysAllPaginationQuery", "keysOwnPaginationQuery"]) {
    const second = await fetchQuery(query, { count: 1, cursor: pageInfo.endCursor });
    const { apiKeys } = second.viewer ?? second;
    assert.notEqual(apiKeys.edges[0].node.id, edge.node.id);
  }
});

test("the server answers the compiled query that fetches one object again by its id", async () => {
  const { apiKeys: { edges: [{ node: key }] } } = await fetchQuery("keysQuery", { count: 1 });
  const { node } = await fetchQuery("keysRowQuery", { id: key.id });
  assert.deepEqual(node, { __typename: "ApiKey", ...key });
});
