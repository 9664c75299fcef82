// npm start -- urql|apollo|fetch: a short tour through the API with one of the three, which leaves nothing behind.

import { randomUUID } from "node:crypto";
import { withApollo } from "./apollo.js";
import { type Execute, Failure } from "./execute.js";
import { withFetch } from "./fetch.js";
import {
  apiKeysQuery, createApiKeyMutation, deleteApiKeysMutation, regenerateSecretsMutation, viewerQuery,
} from "./queries.js";
import { clientCredentials, handedIn } from "./token.js";
import { withUrql } from "./urql.js";

const CLIENTS: { [name: string]: typeof withFetch } = { urql: withUrql, apollo: withApollo, fetch: withFetch };

async function tour(execute: Execute): Promise<void> {
  const { viewer } = await execute(viewerQuery, {});
  if (!viewer) throw new Error("Nobody is asking");
  const account = viewer.owner.__typename === "User" ? viewer.owner.displayName : viewer.owner.name;
  console.log(`viewer: ${account} with ${viewer.scopes.length} scopes`);
  const names = await namesOfActiveKeys(execute);
  console.log(`active keys: ${names.length}`);
  if (viewer.can.createApiKeys && viewer.can.manageApiKeys) await makeAndRemoveKey(execute);
}

/** All pages of a list, two objects a page. */
async function namesOfActiveKeys(execute: Execute): Promise<string[]> {
  const names: string[] = [];
  let after: string | null | undefined;
  do {
    const { apiKeys } = await execute(apiKeysQuery, { filter: { status: ["ACTIVE"] }, first: 2, after });
    names.push(...(apiKeys?.nodes.map((key) => key.name) ?? []));
    after = apiKeys?.pageInfo.hasNextPage ? apiKeys.pageInfo.endCursor : null;
  } while (after);
  return names;
}

async function makeAndRemoveKey(execute: Execute): Promise<void> {
  const input = { name: `example ${randomUUID()}`, scopes: ["keys:read"] };
  const { createApiKey: made } = await execute(createApiKeyMutation, { input });
  if (!made?.apiKey || !made.clientSecret) throw new Error(made?.userErrors[0]?.message ?? "No key was made");
  // The secret is in this answer and nowhere else. Keep it in a vault; here it is only counted.
  console.log(`made a key, its secret has ${made.clientSecret.length} characters`);
  try {
    const { createApiKey: again } = await execute(createApiKeyMutation, { input });
    console.log(`made it again: ${again?.userErrors.map(({ code, field }) => `${code} at ${field?.join(".")}`)}`);
    const selection = { ids: [made.apiKey.id] };
    const { regenerateSecrets } = await execute(regenerateSecretsMutation, {
      input: { selection, gracePeriodSeconds: 60 },
    });
    const [issued] = regenerateSecrets?.issued ?? [];
    console.log(`gave it a new secret: ${issued?.apiKey.secrets.length} work for a minute`);
  } finally {
    const input = { selection: { ids: [made.apiKey.id] }, reason: "The tour is over" };
    const { deleteApiKeys } = await execute(deleteApiKeysMutation, { input });
    console.log(`deleted ${deleteApiKeys?.deletedIds.length} key`);
  }
}

function setting(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`Set ${name}.`);
  return value;
}

async function main(): Promise<void> {
  const connect = CLIENTS[process.argv[2] ?? ""];
  if (!connect) throw new Error(`npm start -- ${Object.keys(CLIENTS).join("|")}`);
  const server = setting("SERVER_URL");
  const tokens = process.env["TOKEN"]
    ? handedIn(process.env["TOKEN"])
    : clientCredentials({ server, clientId: setting("CLIENT_ID"), clientSecret: setting("CLIENT_SECRET") });
  await tour(connect({ server, tokens, documents: process.env["DOCUMENTS"] === "text" ? "text" : "ids" }));
}

main().catch((error: unknown) => {
  console.error(error instanceof Failure ? `${error.code}: ${error.message}` : String(error));
  process.exitCode = 1;
});
