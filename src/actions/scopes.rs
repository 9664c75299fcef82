//! APIs and their scopes.

use entity::{ApiId, ScopeId, api, scope};

use crate::access::Action;
use crate::context::Context;
use crate::error::Result;
use crate::store::page::{ForeignCursor, Page, PageRequest};
use crate::store::{Reached, scopes};

pub use crate::store::scopes::ScopeFilter;

pub async fn list(
    cx: &Context,
    filter: &ScopeFilter,
    request: &PageRequest,
) -> Result<Result<Page<Reached<scope::Model>>, ForeignCursor>> {
    let reach = cx.may(Action::ViewScopes)?;
    scopes::list(cx.app.db.reader(), &reach, filter, request).await
}

pub async fn count(cx: &Context, filter: &ScopeFilter) -> Result<u64> {
    let reach = cx.may(Action::ViewScopes)?;
    scopes::count(cx.app.db.reader(), &reach, filter).await
}

pub async fn find_many(cx: &Context, ids: &[ScopeId]) -> Result<Vec<scope::Model>> {
    cx.may(Action::ViewScopes)?;
    scopes::find_many(cx.app.db.reader(), ids).await
}

pub async fn find_apis(cx: &Context, ids: &[ApiId]) -> Result<Vec<api::Model>> {
    cx.may(Action::ViewScopes)?;
    let mut apis = apis(cx).await?;
    apis.retain(|api| ids.contains(&api.id));
    Ok(apis)
}

/// All APIs, for the scopes that the caller sees already. The built-in one is known by the address of this server.
pub async fn apis(cx: &Context) -> Result<Vec<api::Model>> {
    let mut apis = scopes::apis(cx.app.db.reader()).await?;
    for api in apis.iter_mut().filter(|api| api.built_in) {
        api.identifier.clone_from(&cx.app.issuer);
    }
    Ok(apis)
}
