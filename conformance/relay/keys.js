// What a Relay application asks for: a query, a pagination fragment on a connection, and a fragment that can be fetched
// again by the id of its object alone.

import { graphql } from "relay-runtime";

graphql`
  query keysQuery($count: Int!, $filter: ApiKeyFilter) {
    viewer {
      ...keys_own @arguments(count: $count)
    }
    ...keys_all @arguments(count: $count, filter: $filter)
  }
`;

graphql`
  fragment keys_own on Viewer
  @refetchable(queryName: "keysOwnPaginationQuery")
  @argumentDefinitions(count: { type: "Int", defaultValue: 20 }, cursor: { type: "String" }) {
    scopes
    apiKeys(first: $count, after: $cursor) @connection(key: "keys_own_apiKeys") {
      edges {
        node {
          id
        }
      }
    }
  }
`;

graphql`
  fragment keys_all on Query
  @refetchable(queryName: "keysAllPaginationQuery")
  @argumentDefinitions(
    count: { type: "Int", defaultValue: 20 }
    cursor: { type: "String" }
    filter: { type: "ApiKeyFilter" }
  ) {
    apiKeys(first: $count, after: $cursor, filter: $filter) @connection(key: "keys_all_apiKeys") {
      edges {
        node {
          ...keys_row
        }
      }
    }
  }
`;

graphql`
  fragment keys_row on ApiKey @refetchable(queryName: "keysRowQuery") {
    name
    status
    expiresAt
    owner {
      __typename
      ... on User {
        displayName
      }
      ... on ServiceAccount {
        name
      }
    }
  }
`;
