// The public schema under graphql-eslint's rules: names, Relay's connections, nullability, descriptions, deprecations.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import graphql from "@graphql-eslint/eslint-plugin";
import { ESLint } from "eslint";
import { root, schemaFile } from "./server.mjs";

// Parts of other objects' answers: nobody fetches or caches them by themselves, so they have no id.
const VALUES = [
  "ApiKeyPermissions", "IssuedSecret", "LastUsed", "PageInfo", "PermissionGrant", "PermissionPreview", "PermissionWithheld", "RateLimit",
  "RateLimitQuota", "SecretInfo", "Settings", "SignIn", "System", "UserError", "Viewer", "ViewerPermissions",
];
const DESCRIBED = [
  "types", "rootField", "DirectiveDefinition", "EnumValueDefinition", "FieldDefinition", "InputValueDefinition",
];

const RULES = {
  ...graphql.configs["flat/schema-recommended"].rules,
  ...graphql.configs["flat/schema-relay"].rules,
  "@graphql-eslint/no-scalar-result-type-on-mutation": "error",
  "@graphql-eslint/require-deprecation-date": "error",
  "@graphql-eslint/require-nullable-fields-with-oneof": "error",
  "@graphql-eslint/require-nullable-result-in-root": "error",
  // The rule would have the input begin with a small letter, as the mutation does: types do not.
  "@graphql-eslint/input-name": ["error", { checkInputType: true, caseSensitiveInputType: false }],
  // Connections also list their nodes directly, and short lists that end by nature (a key's roles) are no connections.
  "@graphql-eslint/relay-edge-types": ["error", { listTypeCanWrapOnlyEdgeType: false }],
  "@graphql-eslint/require-description": ["error", {
    ...Object.fromEntries(DESCRIBED.map((part) => [part, true])),
    // Only the directives of the GraphQL specification are here, whose arguments it does not describe either.
    ignoredSelectors: ["DirectiveDefinition > InputValueDefinition"],
  }],
  "@graphql-eslint/strict-id-in-types": ["error", {
    acceptedIdNames: ["id"],
    acceptedIdTypes: ["ID"],
    exceptions: { types: VALUES, suffixes: ["Payload", "Connection", "Edge"] },
  }],
};

// Mutations that only differ in what they do to the selected objects, or to the one that is named, share one input.
const SHARED_INPUT = /^Input type `\w+(Selection|Id)Input` name should be /;

async function lint(schema) {
  const eslint = new ESLint({
    cwd: root,
    overrideConfigFile: true,
    overrideConfig: [{
      files: ["**/*.graphql"],
      plugins: { "@graphql-eslint": graphql },
      languageOptions: { parser: graphql.parser, parserOptions: { graphQLConfig: { schema } } },
      linterOptions: { noInlineConfig: true },
      rules: RULES,
    }],
  });
  const results = await eslint.lintText(schema, { filePath: schemaFile });
  return results.flatMap((result) => result.messages).filter(({ message }) => !SHARED_INPUT.test(message));
}

test("graphql-eslint finds nothing in the schema", async () => {
  const schema = await readFile(schemaFile, "utf8");
  const found = await lint(schema);
  assert.deepEqual(found.map(({ line, ruleId, message }) => `line ${line}: ${message} (${ruleId})`), []);
  assert.deepEqual(VALUES.filter((name) => !schema.includes(`\ntype ${name} `)), [], "no exception is out of date");
});

const BAD = `
"A thing."
type enumThing {
  things(first: String): ThingConnection!
  old: String @deprecated(reason: "Old.")
  older: String @deprecated
}
# No description.
type ThingConnection { edges: [Int!]! }
"An edge."
type ThingEdge { node: enumThing }
"Part of a list."
type PageInfo { hasNextPage: Boolean! }
"One of two."
input By @oneOf { a: Int! }
"Lost."
type Lost { id: ID! lostName: String }
"Asks."
type Query { getThing(by: By): enumThing! }
"Changes."
type Mutation { change(input: By): Boolean }
`;

test("graphql-eslint finds every fault of a bad schema", async () => {
  const rules = new Set((await lint(BAD)).map(({ ruleId }) => ruleId?.replace("@graphql-eslint/", "")));
  assert.deepEqual([...rules].toSorted(), [
    "description-style", "input-name", "naming-convention", "no-hashtag-description",
    "no-scalar-result-type-on-mutation", "no-typename-prefix", "no-unreachable-types", "relay-arguments",
    "relay-connection-types", "relay-edge-types", "relay-page-info", "require-deprecation-date",
    "require-deprecation-reason", "require-description", "require-nullable-fields-with-oneof",
    "require-nullable-result-in-root", "strict-id-in-types",
  ]);
});
