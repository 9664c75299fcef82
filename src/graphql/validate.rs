//! The first of two steps: a document is validated as it came, and nothing is executed. What is valid stays so, so this
//! happens once for each document that is remembered.

use std::sync::Arc;

use async_graphql::extensions::{
    Extension, ExtensionContext, ExtensionFactory, NextExecute, NextParseQuery, NextValidation,
};
use async_graphql::parser::types::ExecutableDocument;
use async_graphql::{Response, ServerError, ServerResult, ValidationResult, Variables};

use super::inputs::{check_literals, check_variables};
use super::request::Meant;

/// Validates, and does not execute.
pub(super) struct Validate;

impl ExtensionFactory for Validate {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(Self)
    }
}

#[async_trait::async_trait]
impl Extension for Validate {
    async fn parse_query(
        &self,
        ctx: &ExtensionContext<'_>,
        query: &str,
        variables: &Variables,
        next: NextParseQuery<'_>,
    ) -> ServerResult<ExecutableDocument> {
        let Some(meant) = ctx.data_opt::<Meant>() else {
            return next.run(ctx, query, variables).await;
        };
        let registry = &ctx.schema_env.registry;
        check_literals(registry, &meant.document.parsed)?;
        check_variables(registry, &meant.operation.definition, variables)?;
        Ok(meant.document.parsed.clone())
    }

    async fn validation(
        &self,
        ctx: &ExtensionContext<'_>,
        next: NextValidation<'_>,
    ) -> Result<ValidationResult, Vec<ServerError>> {
        let result = next.run(ctx).await?;
        if let Some(meant) = ctx.data_opt::<Meant>() {
            meant.document.found_valid();
        }
        Ok(result)
    }

    async fn execute(&self, _: &ExtensionContext<'_>, _: Option<&str>, _: NextExecute<'_>) -> Response {
        Response::default()
    }
}
