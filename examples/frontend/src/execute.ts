// What the three ways to send a document have in common: what goes in, what comes out, and how it fails.

import type { TypedDocumentNode } from "@graphql-typed-document-node/core";
import type { DocumentNode } from "graphql";
import type { Tokens } from "./token.js";

/** Sends a document and gives its data; throws a `Failure` if there is any error. */
export type Execute = <Data, Variables extends Record<string, unknown>>(
  document: TypedDocumentNode<Data, Variables>,
  variables: Variables,
) => Promise<Data>;

export type Connection = {
  server: string;
  tokens: Tokens;
  /** Send ids, for a server that was given the manifest of documents, or the text of each document. */
  documents: "ids" | "text";
};

export type GraphQLError = { message: string; extensions?: { readonly [name: string]: unknown } | undefined };

/** An answer with `errors`: the request was wrong, not allowed, or too much. `code` says which. */
export class Failure extends Error {
  readonly code: string;
  /** Finds the request in the server's log. */
  readonly requestId: string | undefined;
  /** With `FORBIDDEN`: the scopes that are needed and not held. */
  readonly requiredScopes: readonly string[];

  constructor({ message, extensions = {} }: GraphQLError, options?: ErrorOptions) {
    super(message, options);
    this.name = "Failure";
    this.code = String(extensions["code"] ?? "UNKNOWN");
    this.requestId = typeof extensions["requestId"] === "string" ? extensions["requestId"] : undefined;
    const scopes = extensions["requiredScopes"];
    this.requiredScopes = Array.isArray(scopes) ? scopes.map(String) : [];
  }
}

/** The id that `npm run generate` gave the document: `sha256:` and 64 hex digits. */
export function idOf(document: DocumentNode): string {
  const { __meta__: meta } = document as { __meta__?: { hash?: string } };
  if (meta?.hash === undefined) throw new Error("A document without an id: run `npm run generate`.");
  return meta.hash;
}
