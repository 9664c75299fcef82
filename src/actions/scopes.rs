//! APIs and their scopes.

use std::collections::HashMap;

use entity::activity::ActivityKind;
use entity::scope::{self, ScopeKind};
use entity::{ApiId, ScopeId, api};

use crate::access::Action;
use crate::app::context::Context;
use crate::app::edits::{difference, must_be_free};
use crate::app::giving::must_hold;
use crate::error::{Result, UserError, UserErrorCode};
use crate::store::page::{ForeignCursor, Page, PageRequest};
use crate::store::{Reached, Tx, scopes};
use crate::values::ScopeName;

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

/// What APIs have, for those that the caller sees already.
pub async fn of_apis(cx: &Context, of: &[ApiId]) -> Result<HashMap<ApiId, Vec<scope::Model>>> {
    let mut by_api: HashMap<ApiId, Vec<scope::Model>> = HashMap::new();
    for scope in scopes::of_apis(cx.app.db.reader(), of).await? {
        by_api.entry(scope.api_id).or_default().push(scope);
    }
    Ok(by_api)
}

/// What a scope is made from.
#[derive(Clone, Debug)]
pub struct NewScope {
    pub api: ApiId,
    pub name: ScopeName,
    pub description: Option<String>,
    pub kind: ScopeKind,
}

/// What to change: outer `None` leaves a property as it is.
#[derive(Clone, Debug, Default)]
pub struct ScopeChanges {
    pub description: Option<Option<String>>,
    pub kind: Option<ScopeKind>,
}

/// Makes a scope. Only roles that grant everything have it at once.
pub async fn create(cx: &Context, new: NewScope) -> Result<scope::Model> {
    cx.may(Action::EditScopes)?;
    let tx = cx.begin_directory().await?;
    match scopes::apis(&*tx).await?.into_iter().find(|api| api.id == new.api) {
        Some(api) if api.built_in => {
            let message = "The scopes of Latchkey's own API cannot be changed.";
            return Err(UserError::new(UserErrorCode::BuiltIn, "apiId", message).about(api.id).into());
        }
        Some(_) => {}
        None => return Err(UserError::not_found("apiId", new.api.into()).into()),
    }
    let name = new.name.into_string();
    let holder = scopes::find_by_names(&*tx, std::slice::from_ref(&name)).await?.pop().map(|scope| scope.id);
    must_be_free("name", holder, None, || format!("The scope `{name}` already exists."))?;
    let scope = scope::Model {
        id: ScopeId(cx.id()),
        api_id: new.api,
        name,
        description: new.description,
        kind: new.kind,
    };
    scopes::add(&*tx, scope.clone()).await?;
    let detail = serde_json::json!({ "after": snapshot(&scope) });
    cx.record_change(&tx, cx.change(ActivityKind::ScopeCreated, scope.id, None), detail).await?;
    tx.commit().await?;
    Ok(scope)
}

/// Changes a scope. Its kind decides what read-only keys are granted, so only who holds it may change that.
pub async fn update(cx: &Context, id: ScopeId, changes: ScopeChanges) -> Result<scope::Model> {
    cx.may(Action::EditScopes)?;
    let tx = cx.begin_directory().await?;
    let before = editable(&tx, id).await?;
    let told = snapshot(&before);
    let mut after = before;
    if let Some(description) = changes.description {
        after.description = description;
    }
    if let Some(kind) = changes.kind.filter(|kind| *kind != after.kind) {
        must_hold(cx, &[after.name.clone()].into_iter().collect(), "kind")?;
        after.kind = kind;
    }
    scopes::replace(&*tx, &after).await?;
    let detail = difference(told, snapshot(&after));
    cx.record_change(&tx, cx.change(ActivityKind::ScopeUpdated, id, None), detail).await?;
    tx.commit().await?;
    Ok(after)
}

/// Deletes a scope that no role and no key has.
pub async fn delete(cx: &Context, id: ScopeId) -> Result<ScopeId> {
    cx.may(Action::EditScopes)?;
    let tx = cx.begin_directory().await?;
    let scope = editable(&tx, id).await?;
    let holders = scopes::holders(&*tx, id).await?;
    if !holders.is_empty() {
        let message = "This scope is still assigned to roles or API keys. Remove it from them first.";
        return Err(UserError::in_use(message, id, holders).into());
    }
    scopes::delete(&*tx, id).await?;
    let detail = serde_json::json!({ "before": snapshot(&scope) });
    cx.record_change(&tx, cx.change(ActivityKind::ScopeDeleted, id, None), detail).await?;
    tx.commit().await?;
    Ok(id)
}

async fn editable(tx: &Tx, id: ScopeId) -> Result<scope::Model> {
    let Some(scope) = scopes::find_many(&**tx, &[id]).await?.pop() else {
        return Err(UserError::not_found("id", id.into()).into());
    };
    let api = scopes::apis(&**tx).await?.into_iter().find(|api| api.id == scope.api_id);
    if api.is_some_and(|api| api.built_in) {
        return Err(UserError::built_in("scope", id).into());
    }
    Ok(scope)
}

fn snapshot(scope: &scope::Model) -> serde_json::Value {
    serde_json::json!({ "name": scope.name, "description": scope.description, "kind": scope.kind.name() })
}
