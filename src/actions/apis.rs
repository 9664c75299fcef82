//! APIs: the resource servers that tokens are for.

use entity::activity::ActivityKind;
use entity::{ApiId, api};

use crate::access::Action;
use crate::app::context::Context;
use crate::app::edits::{check_version, difference, must_be_free};
use crate::error::{Result, UserError};
use crate::store::page::{ForeignCursor, Page, PageRequest};
use crate::store::{Tx, scopes};
use crate::values::Name;

/// What an API is made from.
#[derive(Clone, Debug)]
pub struct NewApi {
    pub identifier: String,
    pub name: Name,
    pub description: Option<String>,
}

/// What to change: outer `None` leaves a property as it is.
#[derive(Clone, Debug, Default)]
pub struct ApiChanges {
    pub identifier: Option<String>,
    pub name: Option<Name>,
    pub description: Option<Option<String>>,
}

/// The APIs, in the order they were made. The built-in one is known by the address of this server.
pub async fn list(cx: &Context, request: &PageRequest) -> Result<Result<Page<api::Model>, ForeignCursor>> {
    let reach = cx.may(Action::ViewScopes)?;
    let page = scopes::list_apis(cx.app.db.reader(), &reach, request).await?;
    let known = |mut api: api::Model| {
        if api.built_in {
            api.identifier.clone_from(&cx.app.issuer);
        }
        api
    };
    Ok(page.map(|page| page.map(|row| known(row.into_row()))))
}

pub async fn count(cx: &Context) -> Result<u64> {
    let reach = cx.may(Action::ViewScopes)?;
    scopes::count_apis(cx.app.db.reader(), &reach).await
}

pub async fn create(cx: &Context, new: NewApi) -> Result<api::Model> {
    cx.may(Action::EditScopes)?;
    let tx = cx.begin_directory().await?;
    check_identifier(cx, &tx, &new.identifier, None).await?;
    let api = api::Model {
        id: ApiId(cx.id()),
        identifier: new.identifier,
        name: new.name.into_string(),
        description: new.description,
        built_in: false,
        version: 1,
        created_at: cx.now,
        updated_at: cx.now,
    };
    scopes::add_api(&*tx, api.clone()).await?;
    let detail = serde_json::json!({ "after": snapshot(&api) });
    cx.record_change(&tx, cx.change(ActivityKind::ApiCreated, api.id, None), detail).await?;
    tx.commit().await?;
    Ok(api)
}

/// Changes an API. A new identifier is the audience of the next tokens; those already issued keep the old one.
pub async fn update(
    cx: &Context,
    id: ApiId,
    version: Option<i32>,
    changes: ApiChanges,
) -> Result<api::Model> {
    cx.may(Action::EditScopes)?;
    let tx = cx.begin_directory().await?;
    let before = editable(&tx, id).await?;
    check_version(version, before.version, "API", id)?;
    let told = snapshot(&before);
    let mut after = before;
    if let Some(identifier) = changes.identifier {
        check_identifier(cx, &tx, &identifier, Some(id)).await?;
        after.identifier = identifier;
    }
    if let Some(name) = changes.name {
        after.name = name.into_string();
    }
    if let Some(description) = changes.description {
        after.description = description;
    }
    (after.version, after.updated_at) = (after.version + 1, cx.now);
    scopes::replace_api(&*tx, &after).await?;
    let detail = difference(told, snapshot(&after));
    cx.record_change(&tx, cx.change(ActivityKind::ApiUpdated, id, None), detail).await?;
    tx.commit().await?;
    Ok(after)
}

/// Deletes an API that has no scopes left.
pub async fn delete(cx: &Context, id: ApiId) -> Result<ApiId> {
    cx.may(Action::EditScopes)?;
    let tx = cx.begin_directory().await?;
    let api = editable(&tx, id).await?;
    let left = scopes::of_api(&*tx, id).await?;
    if !left.is_empty() {
        let by = left.iter().take(100).map(|scope| scope.id.into()).collect();
        return Err(UserError::in_use("This API still has scopes. Delete them first.", id, by).into());
    }
    scopes::delete_api(&*tx, id).await?;
    let detail = serde_json::json!({ "before": snapshot(&api) });
    cx.record_change(&tx, cx.change(ActivityKind::ApiDeleted, id, None), detail).await?;
    tx.commit().await?;
    Ok(id)
}

async fn editable(tx: &Tx, id: ApiId) -> Result<api::Model> {
    match scopes::apis(&**tx).await?.into_iter().find(|api| api.id == id) {
        Some(api) if api.built_in => Err(UserError::built_in("API", id).into()),
        Some(api) => Ok(api),
        None => Err(UserError::not_found("id", id.into()).into()),
    }
}

async fn check_identifier(cx: &Context, tx: &Tx, identifier: &str, own: Option<ApiId>) -> Result<()> {
    let apis = scopes::apis(&**tx).await?;
    let mut apis = apis.iter().filter(|api| Some(api.id) != own);
    let holder = apis.find(|api| scopes::identifier(api, &cx.app.issuer) == identifier).map(|api| api.id);
    let message = || format!("Another API already has the identifier {identifier}.");
    Ok(must_be_free("identifier", holder, None, message)?)
}

fn snapshot(api: &api::Model) -> serde_json::Value {
    serde_json::json!({ "identifier": api.identifier, "name": api.name, "description": api.description })
}
