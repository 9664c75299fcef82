// graphql-inspector: the schema that the server serves is the one in the repository, nothing that a client uses was
// broken since the last release, and the documents of the example are valid.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { before, test } from "node:test";
import { CriticalityLevel, DiffRule, diff, validate } from "@graphql-inspector/core";
import { Source, buildClientSchema, buildSchema, getIntrospectionQuery, parse, print, printSchema, visit } from "graphql";
import { accessToken, documentsFile, graphql, issuer, root, schemaFile } from "./server.mjs";

let text, schema;

before(async () => {
  text = await readFile(schemaFile, "utf8");
  schema = buildSchema(text);
});

async function served() {
  const answer = await fetch(`${issuer}/graphql/schema.graphql`);
  assert.equal(answer.status, 200);
  return buildSchema(await answer.text());
}

async function introspected() {
  const query = getIntrospectionQuery({
    specifiedByUrl: true, directiveIsRepeatable: true, inputValueDeprecation: true, oneOf: true,
  });
  const { data, errors } = await graphql(await accessToken(), { query });
  assert.deepEqual(errors, undefined);
  return buildSchema(printSchema(buildClientSchema(data)));
}

const complaints = (changes) => changes.map(({ criticality, message }) => `${criticality.level}: ${message}`);

/** What the two schemas differ in. */
async function differences(before, after) {
  return complaints(await diff(before, after));
}

/** What breaks clients. What was deprecated for a release may go. */
async function breaks(before, after) {
  const changes = await diff(before, after, [DiffRule.suppressRemovalOfDeprecatedField]);
  return complaints(changes.filter(({ criticality }) => criticality.level === CriticalityLevel.Breaking));
}

/** The newest release that this repository knows; an unpacked archive of the source knows none. */
function lastRelease() {
  if (!existsSync(path.join(root, ".git"))) return undefined;
  const tags = git("-c", "versionsort.suffix=-", "tag", "--list", "v[0-9]*", "--sort=-version:refname");
  return tags.split("\n").find((tag) => /^v\d+(\.\d+)*$/.test(tag));
}

function git(...command) {
  return execFileSync("git", ["-C", root, ...command], { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });
}

test("the schema that the server serves is the file", async () => {
  assert.deepEqual(await differences(schema, await served()), []);
});

test("what introspection says is the file", async () => {
  assert.deepEqual(await differences(schema, await introspected()), []);
});

const release = lastRelease();

test(`nothing was broken since ${release ?? "the schema that the server serves: there is no release yet"}`, async () => {
  const before = release ? buildSchema(git("show", `${release}:schema.graphql`)) : await served();
  assert.deepEqual(await breaks(before, schema), []);
});

test("a field that is gone is noticed", async () => {
  const without = visit(parse(text), {
    ObjectTypeDefinition: (type) => (type.name.value === "Viewer" ? undefined : false),
    FieldDefinition: (field) => (field.name.value === "scopes" ? null : undefined),
  });
  assert.deepEqual(await breaks(schema, buildSchema(print(without))), [
    "BREAKING: Field 'scopes' was removed from object type 'Viewer'",
  ]);
});

test("the example's documents are valid, and a wrong one is not", async () => {
  const documents = Object.entries(JSON.parse(await readFile(documentsFile, "utf8")));
  assert.ok(documents.length > 0, "there are documents");
  const sources = documents.map(([id, document]) => new Source(document, id));
  assert.deepEqual(validate(schema, sources), []);
  const wrong = new Source("query Wrong { viewer { secretScopes } }", "wrong");
  const [{ source, errors }] = validate(schema, [...sources, wrong]);
  assert.equal(source.name, "wrong");
  assert.match(errors[0].message, /Cannot query field "secretScopes"/);
});
