// Every document that this program sends. `npm run generate` writes the types of their variables and answers.

import { graphql } from "./gql/index.js";

export const viewerQuery = graphql(`
  query Viewer {
    viewer {
      owner {
        __typename
        ... on User {
          displayName
        }
        ... on ServiceAccount {
          name
        }
      }
      scopes
      can {
        createApiKeys
        manageApiKeys
      }
    }
  }
`);

export const apiKeysQuery = graphql(`
  query ApiKeys($filter: ApiKeyFilter, $first: Int!, $after: String) {
    apiKeys(filter: $filter, orderBy: { field: NAME, direction: ASC }, first: $first, after: $after) {
      totalCount
      nodes {
        id
        clientId
        name
        status
        expiresAt
      }
      pageInfo {
        hasNextPage
        endCursor
      }
    }
  }
`);

export const createApiKeyMutation = graphql(`
  mutation CreateApiKey($input: CreateApiKeyInput!) {
    createApiKey(input: $input) {
      apiKey {
        id
        clientId
        name
      }
      clientSecret
      userErrors {
        code
        field
        message
      }
    }
  }
`);

export const regenerateSecretsMutation = graphql(`
  mutation RegenerateSecrets($input: RegenerateSecretsInput!) {
    regenerateSecrets(input: $input) {
      issued {
        apiKey {
          id
          secrets {
            hint
            validUntil
          }
        }
        clientSecret
        previousValidUntil
      }
      userErrors {
        code
        field
        message
      }
    }
  }
`);

export const deleteApiKeysMutation = graphql(`
  mutation DeleteApiKeys($input: ApiKeySelectionInput!) {
    deleteApiKeys(input: $input) {
      deletedIds
      userErrors {
        code
        field
        message
      }
    }
  }
`);
