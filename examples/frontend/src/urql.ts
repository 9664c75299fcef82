// urql's core. Queries go as GET where the address stays short, mutations as POST.

import { Client, type Exchange, fetchExchange, makeOperation, mapExchange } from "@urql/core";
import { Kind, OperationTypeNode, getOperationAST } from "graphql";
import { type Connection, type Execute, Failure, idOf } from "./execute.js";
import { authorized } from "./token.js";

export function withUrql({ server, tokens, documents }: Connection): Execute {
  const client = new Client({
    url: `${server}/graphql`,
    fetch: authorized(tokens),
    exchanges: documents === "ids" ? [idsInsteadOfText, fetchExchange] : [fetchExchange],
    preferGetMethod: "within-url-limit",
  });
  return async (document, variables) => {
    const isMutation = getOperationAST(document)?.operation === OperationTypeNode.MUTATION;
    const { data, error } = await (isMutation ? client.mutation(document, variables) : client.query(document, variables));
    if (error?.graphQLErrors[0]) throw new Failure(error.graphQLErrors[0], { cause: error });
    if (error || data === undefined) throw error ?? new Error("An empty answer");
    return data;
  };
}

/** urql sends the id of a document that has one and no definitions. */
const idsInsteadOfText: Exchange = mapExchange({
  onOperation: (operation) => {
    const persisted = { kind: Kind.DOCUMENT, definitions: [], documentId: idOf(operation.query) } as const;
    return makeOperation(operation.kind, { ...operation, query: persisted }, operation.context);
  },
});
