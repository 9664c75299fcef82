// Types for every query in src/, from Latchkey's schema, and the manifest of documents for the server to know.

import type { CodegenConfig } from "@graphql-codegen/cli";
import { addTypenameSelectionDocumentTransform } from "@graphql-codegen/client-preset";

const config: CodegenConfig = {
  // In a repository of your own: a copy of the file, or what your server says: https://…/graphql/schema.graphql
  schema: "../../schema.graphql",
  documents: ["src/**/*.ts", "!src/gql/**"],
  importExtension: ".js",
  generates: {
    "src/gql/": {
      preset: "client",
      // Apollo's cache needs `__typename` in every object: in the manifest too, or the ids would not fit.
      documentTransforms: [addTypenameSelectionDocumentTransform],
      presetConfig: { fragmentMasking: false, persistedDocuments: true },
      config: {
        scalars: { DateTime: "string", JSON: "unknown", Long: "number", Cidr: "string", ID: "string" },
        strictScalars: true,
        // Enums grow without warning: a value that is not known here is a string of which nothing else is known.
        enumType: "string-literal",
        futureProofEnums: true,
        immutableTypes: true,
        useTypeImports: true,
      },
    },
  },
};

export default config;
