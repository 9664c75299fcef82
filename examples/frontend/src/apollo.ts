// Apollo Client. It names documents by their hash (`extensions.persistedQuery`): queries as GET, mutations as POST.

import { createHash } from "node:crypto";
import { ApolloClient, ApolloLink, HttpLink, InMemoryCache } from "@apollo/client";
import { CombinedGraphQLErrors } from "@apollo/client/errors";
import { PersistedQueryLink } from "@apollo/client/link/persisted-queries";
import { OperationTypeNode, getOperationAST } from "graphql";
import { type Connection, type Execute, Failure, idOf } from "./execute.js";
import { authorized } from "./token.js";

export function withApollo({ server, tokens, documents }: Connection): Execute {
  const client = new ApolloClient({
    cache: new InMemoryCache(),
    link: ApolloLink.from([
      new PersistedQueryLink({ ...hashes(documents), useGETForHashedQueries: true }),
      new HttpLink({ uri: `${server}/graphql`, fetch: authorized(tokens) }),
    ]),
  });
  return async (document, variables) => {
    const isMutation = getOperationAST(document)?.operation === OperationTypeNode.MUTATION;
    const { data } = await (isMutation
      ? client.mutate({ mutation: document, variables })
      : client.query({ query: document, variables })
    ).catch((error: unknown) => {
      if (CombinedGraphQLErrors.is(error) && error.errors[0]) throw new Failure(error.errors[0], { cause: error });
      throw error;
    });
    if (data === undefined) throw new Error("An empty answer");
    return data;
  };
}

/** With ids, those of the manifest and never the text. Otherwise Apollo's own hash, and the text if it is unknown. */
function hashes(documents: Connection["documents"]): PersistedQueryLink.Options {
  if (documents === "ids") {
    return { generateHash: (document) => idOf(document).replace("sha256:", ""), retry: () => false };
  }
  return { sha256: (text) => createHash("sha256").update(text).digest("hex") };
}
