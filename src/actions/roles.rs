//! Roles and what they grant.

use std::collections::HashMap;

use entity::activity::ActivityKind;
use entity::{GlobalId, RoleId, ScopeId, role, scope};

use crate::access::{Action, Scopes};
use crate::app::context::Context;
use crate::app::edits::{all_named, check_version, difference, must_be_free};
use crate::app::giving::{must_hold, scopes_of_roles};
use crate::error::{Result, UserError};
use crate::store::page::{ForeignCursor, Page, PageRequest};
use crate::store::{Reached, Tx, roles, scopes};
use crate::values::Name;

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

/// What a role is made from.
#[derive(Clone, Debug)]
pub struct NewRole {
    pub name: Name,
    pub description: Option<String>,
    pub scopes: Vec<String>,
}

/// What to change: outer `None` leaves a property as it is.
#[derive(Clone, Debug, Default)]
pub struct RoleChanges {
    pub name: Option<Name>,
    pub description: Option<Option<String>>,
    pub scopes: Option<Vec<String>>,
}

/// Makes a role of scopes that the caller holds.
pub async fn create(cx: &Context, new: NewRole) -> Result<role::Model> {
    cx.may(Action::EditRoles)?;
    let tx = cx.begin_directory().await?;
    check_name(&tx, new.name.as_str(), None).await?;
    let scopes = existing_scopes(&tx, &new.scopes).await?;
    must_hold(cx, &names(&scopes), "scopes")?;
    let role = role::Model {
        id: RoleId(cx.id()),
        name: new.name.into_string(),
        description: new.description,
        built_in: false,
        all_scopes: false,
        version: 1,
        created_at: cx.now,
        updated_at: cx.now,
    };
    roles::add(&*tx, role.clone()).await?;
    roles::set_scopes(&*tx, role.id, &ids(&scopes)).await?;
    let detail = serde_json::json!({ "after": snapshot(&tx, &role).await? });
    cx.record_change(&tx, cx.change(ActivityKind::RoleCreated, role.id, None), detail).await?;
    tx.commit().await?;
    Ok(role)
}

/// Changes a role. Scopes that it loses are lost at once to whoever holds them through it; those it gains must be the
/// caller's own.
pub async fn update(
    cx: &Context,
    id: RoleId,
    version: Option<i32>,
    changes: RoleChanges,
) -> Result<role::Model> {
    cx.may(Action::EditRoles)?;
    let tx = cx.begin_directory().await?;
    let before = editable(&tx, id).await?;
    check_version(version, before.version, "role", id)?;
    let told = snapshot(&tx, &before).await?;
    let held = scopes_of_roles(&tx, &[id]).await?;
    let mut after = before;
    if let Some(name) = changes.name {
        check_name(&tx, name.as_str(), Some(id)).await?;
        after.name = name.into_string();
    }
    if let Some(description) = changes.description {
        after.description = description;
    }
    if let Some(wanted) = changes.scopes {
        let scopes = existing_scopes(&tx, &wanted).await?;
        must_hold(cx, &names(&scopes).without(&held), "scopes")?;
        roles::set_scopes(&*tx, id, &ids(&scopes)).await?;
    }
    (after.version, after.updated_at) = (after.version + 1, cx.now);
    roles::replace(&*tx, &after).await?;
    let detail = difference(told, snapshot(&tx, &after).await?);
    cx.record_change(&tx, cx.change(ActivityKind::RoleUpdated, id, None), detail).await?;
    tx.commit().await?;
    Ok(after)
}

/// Deletes a role that nobody has.
pub async fn delete(cx: &Context, id: RoleId) -> Result<RoleId> {
    cx.may(Action::EditRoles)?;
    let tx = cx.begin_directory().await?;
    let role = editable(&tx, id).await?;
    let holders: Vec<GlobalId> = roles::holders(&*tx, id).await?;
    if !holders.is_empty() {
        let message = "This role is still assigned to users, groups or API keys. Remove it from them first.";
        return Err(UserError::in_use(message, id, holders).into());
    }
    let detail = serde_json::json!({ "before": snapshot(&tx, &role).await? });
    roles::delete(&*tx, id).await?;
    cx.record_change(&tx, cx.change(ActivityKind::RoleDeleted, id, None), detail).await?;
    tx.commit().await?;
    Ok(id)
}

async fn editable(tx: &Tx, id: RoleId) -> Result<role::Model> {
    match roles::find_many(&**tx, &[id]).await?.pop() {
        Some(role) if role.built_in => Err(UserError::built_in("role", id).into()),
        Some(role) => Ok(role),
        None => Err(UserError::not_found("id", id.into()).into()),
    }
}

async fn check_name(tx: &Tx, name: &str, own: Option<RoleId>) -> Result<()> {
    let holder = roles::find_by_name(&**tx, name).await?.map(|role| role.id);
    let message = || format!("Another role is already named `{name}`. Choose another name.");
    Ok(must_be_free("name", holder, own, message)?)
}

async fn existing_scopes(tx: &Tx, wanted: &[String]) -> Result<Vec<scope::Model>> {
    Ok(all_named(wanted, scopes::find_by_names(&**tx, wanted).await?)?)
}

fn names(scopes: &[scope::Model]) -> Scopes {
    scopes.iter().map(|scope| scope.name.clone()).collect()
}

fn ids(scopes: &[scope::Model]) -> Vec<ScopeId> {
    scopes.iter().map(|scope| scope.id).collect()
}

async fn snapshot(tx: &Tx, role: &role::Model) -> Result<serde_json::Value> {
    let scopes = scopes_of_roles(tx, &[role.id]).await?;
    Ok(serde_json::json!({
        "name": role.name,
        "description": role.description,
        "scopes": scopes.iter().collect::<Vec<_>>(),
    }))
}
