//! Groups: sets of users that carry roles.

use std::collections::HashMap;

use entity::activity::ActivityKind;
use entity::{AccountId, GroupId, RoleId, UserId, group, role};

use crate::access::Action;
use crate::app::context::Context;
use crate::app::edits::{all_there, check_version, difference, must_be_free};
use crate::app::giving::{administrators_remain, may_give, roles_to_have};
use crate::error::{Result, UserError};
use crate::store::accounts::Owner;
use crate::store::page::{ForeignCursor, Page, PageRequest};
use crate::store::{Reached, Tx, accounts, groups};
use crate::values::Name;

/// What a group is made from.
#[derive(Clone, Debug)]
pub struct NewGroup {
    pub name: Name,
    pub description: Option<String>,
    pub roles: Vec<RoleId>,
    pub members: Vec<UserId>,
}

/// What to change: outer `None` leaves a property as it is.
#[derive(Clone, Debug, Default)]
pub struct GroupChanges {
    pub name: Option<Name>,
    pub description: Option<Option<String>>,
    pub roles: Option<Vec<RoleId>>,
    pub add_members: Vec<UserId>,
    pub remove_members: Vec<UserId>,
}

pub async fn list(
    cx: &Context,
    search: Option<&str>,
    request: &PageRequest,
) -> Result<Result<Page<Reached<group::Model>>, ForeignCursor>> {
    let reach = cx.may(Action::ViewGroups)?;
    groups::list(cx.app.db.reader(), &reach, search, request).await
}

pub async fn count(cx: &Context, search: Option<&str>) -> Result<u64> {
    let reach = cx.may(Action::ViewGroups)?;
    groups::count(cx.app.db.reader(), &reach, search).await
}

pub async fn find_many(cx: &Context, ids: &[GroupId]) -> Result<Vec<group::Model>> {
    cx.may(Action::ViewGroups)?;
    groups::find_many(cx.app.db.reader(), ids).await
}

/// The roles of groups that the caller sees already.
pub async fn roles_of(cx: &Context, of: &[GroupId]) -> Result<HashMap<GroupId, Vec<role::Model>>> {
    groups::roles_of(cx.app.db.reader(), of).await
}

/// The groups of users that the caller sees already.
pub async fn of_users(cx: &Context, of: &[UserId]) -> Result<HashMap<UserId, Vec<group::Model>>> {
    groups::of_users(cx.app.db.reader(), of).await
}

/// Makes a group. Its members obtain what its roles grant, so the caller must hold that.
pub async fn create(cx: &Context, new: NewGroup) -> Result<group::Model> {
    cx.may(Action::EditGroups)?;
    let tx = cx.begin_directory().await?;
    check_name(&tx, new.name.as_str(), None).await?;
    let roles = roles_to_have(cx, &tx, &[], &new.roles).await?;
    existing_users(&tx, "memberIds", &new.members).await?;
    let group = group::Model {
        id: GroupId(cx.id()),
        name: new.name.into_string(),
        description: new.description,
        version: 1,
        created_at: cx.now,
        updated_at: cx.now,
    };
    groups::add(&*tx, group.clone()).await?;
    groups::set_roles(&*tx, group.id, &roles).await?;
    let members = groups::add_members(&*tx, group.id, &new.members).await?;
    let mut told = snapshot(&tx, &group).await?;
    told["members"] = names(&members);
    let event = cx.change(ActivityKind::GroupCreated, group.id, None);
    cx.record_change(&tx, event, serde_json::json!({ "after": told })).await?;
    tx.commit().await?;
    Ok(group)
}

/// Changes a group. Who becomes a member, or a role that it gains, is given what the caller must hold.
pub async fn update(
    cx: &Context,
    id: GroupId,
    version: Option<i32>,
    changes: GroupChanges,
) -> Result<group::Model> {
    cx.may(Action::EditGroups)?;
    let tx = cx.begin_directory().await?;
    let before = existing(&tx, id).await?;
    check_version(version, before.version, "group", id)?;
    let told = snapshot(&tx, &before).await?;
    let administered = accounts::has_active_administrator(&*tx).await?;
    let mut after = before;
    if let Some(name) = changes.name {
        check_name(&tx, name.as_str(), Some(id)).await?;
        after.name = name.into_string();
    }
    if let Some(description) = changes.description {
        after.description = description;
    }
    if let Some(wanted) = &changes.roles {
        let had = groups::roles_of(&*tx, &[id]).await?.remove(&id).unwrap_or_default();
        groups::set_roles(&*tx, id, &roles_to_have(cx, &tx, &had, wanted).await?).await?;
    }
    existing_users(&tx, "addMemberIds", &changes.add_members).await?;
    if !changes.add_members.is_empty() {
        // Before anybody joins: the caller may be among them.
        let roles = groups::roles_of(&*tx, &[id]).await?.remove(&id).unwrap_or_default();
        may_give(cx, &tx, &roles, "addMemberIds").await?;
    }
    let removed = groups::remove_members(&*tx, id, &changes.remove_members).await?;
    let added = groups::add_members(&*tx, id, &changes.add_members).await?;
    let field = if changes.roles.is_some() { "roleIds" } else { "removeMemberIds" };
    administrators_remain(&tx, administered, field).await?;
    (after.version, after.updated_at) = (after.version + 1, cx.now);
    groups::replace(&*tx, &after).await?;
    let mut detail = difference(told, snapshot(&tx, &after).await?);
    detail["addedMembers"] = names(&added);
    detail["removedMembers"] = names(&removed);
    cx.record_change(&tx, cx.change(ActivityKind::GroupUpdated, id, None), detail).await?;
    tx.commit().await?;
    Ok(after)
}

/// Whether an active user would still hold everything if the first groups lost the roles that grant it and the others
/// had one; or nobody does now.
pub async fn leave_an_administrator(cx: &Context, stripped: &[GroupId], raised: &[GroupId]) -> Result<bool> {
    cx.may(Action::EditGroups)?;
    let db = cx.app.db.reader();
    Ok(!accounts::has_active_administrator(db).await?
        || accounts::would_have_active_administrator(db, stripped, raised).await?)
}

/// Deletes a group without members.
pub async fn delete(cx: &Context, id: GroupId) -> Result<GroupId> {
    cx.may(Action::EditGroups)?;
    let tx = cx.begin_directory().await?;
    let group = existing(&tx, id).await?;
    let members = groups::some_members(&*tx, id).await?;
    if !members.is_empty() {
        let by = members.into_iter().map(Into::into).collect();
        return Err(UserError::in_use("This group still has members. Remove them first.", id, by).into());
    }
    let detail = serde_json::json!({ "before": snapshot(&tx, &group).await? });
    groups::delete(&*tx, id).await?;
    cx.record_change(&tx, cx.change(ActivityKind::GroupDeleted, id, None), detail).await?;
    tx.commit().await?;
    Ok(id)
}

async fn existing(tx: &Tx, id: GroupId) -> Result<group::Model> {
    let found = groups::find_many(&**tx, &[id]).await?.pop();
    found.ok_or_else(|| UserError::not_found("id", id.into()).into())
}

async fn existing_users(tx: &Tx, field: &'static str, wanted: &[UserId]) -> Result<()> {
    let ids: Vec<AccountId> = wanted.iter().map(|id| (*id).into()).collect();
    let owners = accounts::behind_rows(&**tx, &ids).await?.into_iter();
    all_there(field, wanted, owners.filter_map(Owner::into_user).collect(), |(_, user)| user.id)?;
    Ok(())
}

async fn check_name(tx: &Tx, name: &str, own: Option<GroupId>) -> Result<()> {
    let holder = groups::find_by_name(&**tx, name).await?.map(|group| group.id);
    let message = || format!("Another group is already named `{name}`. Choose another name.");
    Ok(must_be_free("name", holder, own, message)?)
}

fn names(users: &[UserId]) -> serde_json::Value {
    users.iter().map(ToString::to_string).collect::<Vec<_>>().into()
}

async fn snapshot(tx: &Tx, group: &group::Model) -> Result<serde_json::Value> {
    let roles = groups::roles_of(&**tx, &[group.id]).await?.remove(&group.id).unwrap_or_default();
    Ok(serde_json::json!({
        "name": group.name,
        "description": group.description,
        "roles": roles.into_iter().map(|role| role.name).collect::<Vec<_>>(),
    }))
}
