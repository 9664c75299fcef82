// Plain fetch, without a client library: one POST a document.

import type { TypedDocumentNode } from "@graphql-typed-document-node/core";
import { print } from "graphql";
import { type Connection, type Execute, Failure, type GraphQLError, idOf } from "./execute.js";
import { authorized } from "./token.js";

const MEDIA = "application/graphql-response+json";

export function withFetch({ server, tokens, documents }: Connection): Execute {
  const send = authorized(tokens);
  return async <Data, Variables>(document: TypedDocumentNode<Data, Variables>, variables: Variables) => {
    const what = documents === "ids" ? { documentId: idOf(document) } : { query: print(document) };
    const answer = await send(`${server}/graphql`, {
      method: "POST",
      headers: { accept: MEDIA, "content-type": "application/json" },
      body: JSON.stringify({ ...what, variables }),
    });
    if (!answer.headers.get("content-type")?.startsWith(MEDIA)) {
      throw new Error(`No GraphQL answer, but status ${answer.status}`);
    }
    const { data, errors } = (await answer.json()) as { data?: Data; errors?: GraphQLError[] };
    if (errors?.[0]) throw new Failure(errors[0]);
    return data as Data;
  };
}
