//! Validation: a document is validated unchanged, and nothing is executed. A valid document stays valid (section 6.1.1),
//! so this happens once for each document in the cache.

use std::sync::Arc;

use async_graphql::extensions::{
    Extension, ExtensionContext, ExtensionFactory, NextExecute, NextParseQuery, NextValidation,
};
use async_graphql::parser::types::ExecutableDocument;
use async_graphql::{Response, ServerError, ServerResult, ValidationResult, Variables};

use crate::inputs::{check_literals, check_variables};
use crate::request::PreparedRequest;

/// The extension of a schema that validates and does not execute.
pub(crate) struct ValidateOnly;

impl ExtensionFactory for ValidateOnly {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(Self)
    }
}

#[async_trait::async_trait]
impl Extension for ValidateOnly {
    async fn parse_query(
        &self,
        ctx: &ExtensionContext<'_>,
        query: &str,
        variables: &Variables,
        next: NextParseQuery<'_>,
    ) -> ServerResult<ExecutableDocument> {
        let Some(prepared) = ctx.data_opt::<PreparedRequest>() else {
            return next.run(ctx, query, variables).await;
        };
        let registry = &ctx.schema_env.registry;
        check_literals(registry, &prepared.document.parsed)?;
        check_variables(registry, &prepared.operation.definition, variables)?;
        Ok(prepared.document.parsed.clone())
    }

    async fn validation(
        &self,
        ctx: &ExtensionContext<'_>,
        next: NextValidation<'_>,
    ) -> Result<ValidationResult, Vec<ServerError>> {
        let result = next.run(ctx).await?;
        if let Some(prepared) = ctx.data_opt::<PreparedRequest>() {
            prepared.document.mark_valid();
        }
        Ok(result)
    }

    async fn execute(&self, _: &ExtensionContext<'_>, _: Option<&str>, _: NextExecute<'_>) -> Response {
        Response::default()
    }
}
