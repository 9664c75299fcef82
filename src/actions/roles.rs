//! Roles and what they grant.

use std::collections::HashMap;

use entity::{RoleId, role, scope};

use crate::access::Action;
use crate::context::Context;
use crate::error::Result;
use crate::store::page::{ForeignCursor, Page, PageRequest};
use crate::store::{Reached, roles};

pub async fn list(
    cx: &Context,
    search: Option<&str>,
    request: &PageRequest,
) -> Result<Result<Page<Reached<role::Model>>, ForeignCursor>> {
    let reach = cx.may(Action::ViewRoles)?;
    roles::list(cx.app.db.reader(), &reach, search, request).await
}

pub async fn count(cx: &Context, search: Option<&str>) -> Result<u64> {
    let reach = cx.may(Action::ViewRoles)?;
    roles::count(cx.app.db.reader(), &reach, search).await
}

pub async fn find_many(cx: &Context, ids: &[RoleId]) -> Result<Vec<role::Model>> {
    cx.may(Action::ViewRoles)?;
    roles::find_many(cx.app.db.reader(), ids).await
}

/// What roles grant that the caller sees already, on their own or on a key.
pub async fn scopes_of(cx: &Context, of: &[RoleId]) -> Result<HashMap<RoleId, Vec<scope::Model>>> {
    roles::scopes_of(cx.app.db.reader(), of).await
}

pub async fn find_by_name(cx: &Context, name: &str) -> Result<Option<role::Model>> {
    cx.may(Action::ViewRoles)?;
    roles::find_by_name(cx.app.db.reader(), name).await
}
