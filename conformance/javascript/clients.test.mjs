// GraphQL as stock clients speak it: urql, Apollo Client with and without automatic persisted queries, graphql-request
// and the client of graphql-http. Each gets data, user errors and top-level errors in its own way.

import assert from "node:assert/strict";
import { createHash, randomUUID } from "node:crypto";
import { before, test } from "node:test";
import { ApolloClient, ApolloLink, HttpLink, InMemoryCache } from "@apollo/client";
import { CombinedGraphQLErrors } from "@apollo/client/errors";
import { createPersistedQueryLink } from "@apollo/client/link/persisted-queries";
import { Client, fetchExchange } from "@urql/core";
import { OperationTypeNode, getOperationAST, parse } from "graphql";
import { NetworkError, createClient } from "graphql-http";
import { ClientError, GraphQLClient } from "graphql-request";
import { accessToken, issuer, tampered } from "./server.mjs";

const url = `${issuer}/graphql`;
const isMutation = (document) => getOperationAST(document).operation === OperationTypeNode.MUTATION;
const sha256 = (text) => createHash("sha256").update(text).digest("hex");

// A client takes a document and gives `{ data }`, or `{ errors }` as it found them in the answer.

async function urql({ query, variables, ...options }) {
  const client = new Client({ url, exchanges: [fetchExchange], fetch: options.fetch, fetchOptions: options });
  const document = parse(query);
  const { data, error } = await (isMutation(document)
    ? client.mutation(document, variables)
    : client.query(document, variables));
  return error ? { errors: error.graphQLErrors } : { data };
}

function apollo({ query, variables, ...options }) {
  return apolloThrough(new HttpLink({ uri: url, ...options }), parse(query), variables);
}

function apolloWithHashes({ query, variables, ...options }) {
  const hashes = createPersistedQueryLink({ sha256, useGETForHashedQueries: true });
  return apolloThrough(ApolloLink.from([hashes, new HttpLink({ uri: url, ...options })]), parse(query), variables);
}

async function apolloThrough(link, document, variables) {
  const client = new ApolloClient({ cache: new InMemoryCache(), link });
  try {
    return await (isMutation(document)
      ? client.mutate({ mutation: document, variables })
      : client.query({ query: document, variables }));
  } catch (error) {
    if (CombinedGraphQLErrors.is(error)) return { errors: error.errors };
    throw error;
  }
}

async function graphqlRequest({ query, variables, ...options }) {
  try {
    return { data: await new GraphQLClient(url, options).request(query, variables) };
  } catch (error) {
    if (error instanceof ClientError) return { errors: error.response.errors };
    throw error;
  }
}

async function graphqlHttp({ query, variables, ...options }) {
  const client = createClient({ url, headers: options.headers, fetchFn: options.fetch, retryAttempts: 0 });
  try {
    return await new Promise((next, error) => client.subscribe({ query, variables }, { next, error, complete() {} }));
  } catch (error) {
    if (error instanceof NetworkError) return error.response.json();
    throw error;
  }
}

const VIEWER = "query Viewer { viewer { scopes can { viewApiKeys } } }";
const PAGE = `query Page($first: Int!, $after: String, $filter: ApiKeyFilter) {
  apiKeys(first: $first, after: $after, filter: $filter) {
    totalCount
    nodes { id name }
    pageInfo { hasNextPage endCursor }
  }
}`;
const CREATE = `mutation Create($input: CreateApiKeyInput!) {
  createApiKey(input: $input) { apiKey { name } userErrors { code field message } }
}`;

let token, narrow;

before(async () => {
  token = await accessToken();
  narrow = await accessToken("activity:read");
});

/** What the client made of the answers, and their statuses with the methods that they were asked for by. */
async function run(client, bearer, query, variables = {}) {
  const exchanges = [];
  const recording = async (input, init) => {
    const answer = await fetch(input, init);
    exchanges.push(`${init?.method ?? "GET"} ${answer.status}`);
    return answer;
  };
  const headers = { authorization: `Bearer ${bearer}` };
  return { ...(await client({ query, variables, headers, fetch: recording })), exchanges };
}

const CLIENTS = [
  { name: "urql", client: urql, asks: ["GET 200"] },
  { name: "Apollo Client", client: apollo, asks: ["POST 200"] },
  { name: "Apollo Client with hashes", client: apolloWithHashes, asks: ["GET 200"] },
  { name: "graphql-request", client: graphqlRequest, asks: ["POST 200"] },
  { name: "graphql-http", client: graphqlHttp, asks: ["POST 200"] },
];

for (const { name, client, asks } of CLIENTS) {
  test(`${name}: the viewer`, async () => {
    await run(client, token, VIEWER);
    const { data, errors, exchanges } = await run(client, token, VIEWER);
    assert.deepEqual(errors, undefined);
    assert.ok(data.viewer.scopes.includes("keys:read"), "the scopes are there");
    assert.equal(data.viewer.can.viewApiKeys, true);
    assert.deepEqual(exchanges, asks);
  });

  test(`${name}: a list, page by page`, async () => {
    const filter = { status: ["ACTIVE"] };
    const { data: { apiKeys: first } } = await run(client, token, PAGE, { first: 1, filter });
    assert.ok(first.totalCount >= 2, "there are two keys");
    assert.ok(first.pageInfo.hasNextPage, "there is a second page");
    const { endCursor: after } = first.pageInfo;
    const { data: { apiKeys: second } } = await run(client, token, PAGE, { first: 1, after, filter });
    assert.notEqual(second.nodes[0].id, first.nodes[0].id);
  });

  test(`${name}: a mistake that the caller can correct is data`, async () => {
    const { data, errors } = await run(client, token, CREATE, { input: { name: "" } });
    assert.deepEqual(errors, undefined);
    assert.equal(data.createApiKey.apiKey, null);
    const [{ code, field, message }] = data.createApiKey.userErrors;
    assert.deepEqual([code, field], ["INVALID", ["input", "name"]]);
    assert.ok(message, "there is a sentence for people");
  });

  test(`${name}: what is not allowed is an error that says what is missing`, async () => {
    const { errors: [{ path, extensions }] } = await run(client, narrow, PAGE, { first: 1 });
    assert.deepEqual(path, ["apiKeys"]);
    assert.equal(extensions.code, "FORBIDDEN");
    assert.deepEqual(extensions.requiredScopes, ["keys:read", "keys:read:any"]);
  });

  test(`${name}: a refused token is 401 and says so`, async () => {
    const { errors: [{ extensions }], exchanges } = await run(client, tampered(token), VIEWER);
    assert.equal(extensions.code, "UNAUTHENTICATED");
    assert.deepEqual(exchanges.map((exchange) => exchange.split(" ")[1]), ["401"]);
  });
}

test("Apollo Client with hashes sends the text once, when the hash is not known", async () => {
  const query = `query New${randomUUID().replaceAll("-", "")} { viewer { scopes } }`;
  assert.deepEqual((await run(apolloWithHashes, token, query)).exchanges, ["GET 404", "POST 200"]);
  assert.deepEqual((await run(apolloWithHashes, token, query)).exchanges, ["GET 200"]);
});
