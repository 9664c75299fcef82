//! Users: people with an e-mail address, roles and groups.

use std::collections::{HashMap, HashSet};

use entity::account::AccountKind;
use entity::activity::ActivityKind;
use entity::{AccountId, GroupId, RoleId, SecretHash, UserId, role, scope, user};

use crate::access::Action;
use crate::access::builtin::{ADMIN_ROLE, MEMBER_ROLE};
use crate::app::App;
use crate::app::context::Context;
use crate::app::edits::{all_there, check_version, difference, must_be_free};
use crate::app::giving::{administrators_remain, may_become, may_give, roles_to_have};
use crate::app::passwords::{judge, known_of};
use crate::error::{Error, Result, UserError};
use crate::store::accounts::{Owner, UserRow};
use crate::store::keys::Key;
use crate::store::page::{ForeignCursor, Page, PageRequest};
use crate::store::{Tx, accounts, groups, keys, ownership, roles, sessions};
use crate::values::{Name, email};

pub use crate::crypto::password::WantedPassword;
pub use crate::store::accounts::UserFilter;

/// What a user is made from.
#[derive(Debug, Default)]
pub struct NewUser {
    pub email: String,
    pub handle: Option<String>,
    pub display_name: String,
    pub password: Option<WantedPassword>,
    /// The role `member`, when left out.
    pub roles: Option<Vec<RoleId>>,
    pub groups: Vec<GroupId>,
}

/// What to change: outer `None` leaves a property as it is.
#[derive(Debug, Default)]
pub struct UserChanges {
    pub email: Option<String>,
    pub handle: Option<Option<String>>,
    pub display_name: Option<Name>,
    pub password: Option<WantedPassword>,
    pub roles: Option<Vec<RoleId>>,
    pub groups: Option<Vec<GroupId>>,
}

/// A user who was stopped, and what they leave behind.
#[derive(Debug)]
pub struct Deactivated {
    pub user: UserRow,
    /// Keys of service accounts that this user made: they go on working, and somebody should look after them.
    pub service_account_keys: Vec<Key>,
}

/// Users by e-mail address.
pub async fn list(
    cx: &Context,
    filter: &UserFilter,
    request: &PageRequest,
) -> Result<Result<Page<UserRow>, ForeignCursor>> {
    let reach = cx.may(Action::ViewUsers)?;
    accounts::list_users(cx.app.db.reader(), &reach, filter, request).await
}

pub async fn count(cx: &Context, filter: &UserFilter) -> Result<u64> {
    let reach = cx.may(Action::ViewUsers)?;
    accounts::count_users(cx.app.db.reader(), &reach, filter).await
}

/// The roles that users hold directly, of users that the caller sees already.
pub async fn roles_of(cx: &Context, of: &[UserId]) -> Result<HashMap<UserId, Vec<role::Model>>> {
    roles::of_users(cx.app.db.reader(), of).await
}

/// What users hold now, of users that the caller sees already.
pub async fn scopes_of(cx: &Context, of: &[AccountId]) -> Result<HashMap<AccountId, Vec<scope::Model>>> {
    accounts::scopes_of(cx.app.db.reader(), of).await
}

/// Makes a user. What the user obtains, the caller must hold.
pub async fn create(cx: &Context, new: NewUser) -> Result<UserRow> {
    cx.may(Action::EditUsers)?;
    let known = [&*new.email, new.handle.as_deref().unwrap_or_default(), &new.display_name];
    let hash = hashed(cx, new.password, &known).await?;
    let tx = cx.begin_directory().await?;
    check_email(&tx, &new.email, None).await?;
    if let Some(handle) = &new.handle {
        check_handle(&tx, handle, None).await?;
    }
    let wanted = match new.roles {
        Some(wanted) => wanted,
        None => roles::find_by_name(&*tx, MEMBER_ROLE).await?.into_iter().map(|role| role.id).collect(),
    };
    let wanted = roles_to_have(cx, &tx, &[], &wanted).await?;
    let joined = unique(&new.groups);
    existing_groups(cx, &tx, &joined).await?;
    let id = UserId(cx.id());
    let account = accounts::new_account(id.into(), AccountKind::User, cx.caller.actor(), cx.now);
    let user = user::Model {
        id,
        email: new.email,
        handle: new.handle,
        display_name: new.display_name,
        password_hash: hash,
        last_sign_in_at: None,
    };
    accounts::add_user(&*tx, account.clone(), user.clone()).await?;
    roles::set_of_user(&*tx, id, &wanted).await?;
    groups::set_of_user(&*tx, id, &joined).await?;
    let event = cx.change(ActivityKind::UserCreated, id, account.id);
    let detail = serde_json::json!({ "after": snapshot(&tx, &user).await? });
    cx.record_change(&tx, event, detail).await?;
    tx.commit().await?;
    Ok((account, user))
}

/// Makes a user who holds everything.
pub async fn create_administrator(
    cx: &Context,
    address: &str,
    name: Option<Name>,
    password: WantedPassword,
) -> Result<UserId> {
    let email = email("email", address)?;
    let role = roles::find_by_name(cx.app.db.reader(), ADMIN_ROLE).await?;
    let role = role.ok_or_else(|| Error::internal("no administrators' role"))?;
    let new = NewUser {
        display_name: name.map_or_else(|| email.clone(), Name::into_string),
        email,
        password: Some(password),
        roles: Some(vec![role.id]),
        ..NewUser::default()
    };
    create(cx, new).await.map(|(_, user)| user.id)
}

/// Changes a user. Roles and groups that are gained, and every way to become this user, ask the caller to hold what that
/// yields.
pub async fn update(
    cx: &Context,
    id: UserId,
    version: Option<i32>,
    mut changes: UserChanges,
) -> Result<UserRow> {
    cx.may(Action::EditUsers)?;
    let new_password = changes.password.is_some();
    let hash = match changes.password.take() {
        Some(password) => new_hash(cx, id, password, &changes).await?,
        None => None,
    };
    let tx = cx.begin_directory().await?;
    let (mut account, before) = existing(&tx, id).await?;
    check_version(version, account.version, "user", id)?;
    let told = snapshot(&tx, &before).await?;
    let mut after = before.clone();
    if let Some(email) = changes.email.filter(|email| *email != before.email) {
        check_email(&tx, &email, Some(id)).await?;
        may_become(cx, &tx, account.id, "email").await?;
        after.email = email;
    }
    if let Some(handle) = changes.handle {
        if let Some(handle) = &handle {
            check_handle(&tx, handle, Some(id)).await?;
        }
        after.handle = handle;
    }
    if let Some(name) = changes.display_name {
        after.display_name = name.into_string();
    }
    if new_password {
        may_become(cx, &tx, account.id, "password").await?;
        after.password_hash = hash;
        sessions::end_all(&*tx, id, None).await?;
    }
    regroup(cx, &tx, id, (changes.roles, changes.groups)).await?;
    (account.version, account.updated_at) = (account.version + 1, cx.now);
    accounts::replace(&*tx, &account).await?;
    accounts::replace_user(&*tx, &after).await?;
    let mut events = vec![crate::store::activity::Event {
        detail: Some(difference(told, snapshot(&tx, &after).await?).into()),
        ..cx.change(ActivityKind::UserUpdated, id, account.id)
    }];
    if new_password {
        events.push(cx.change(ActivityKind::PasswordChanged, id, account.id));
    }
    cx.record(&tx, &events).await?;
    tx.commit().await?;
    Ok((account, after))
}

/// Stops a user: keys and tokens at once, and for good those tokens that were issued. The last administrator stays.
pub async fn deactivate(cx: &Context, id: UserId) -> Result<Deactivated> {
    cx.may(Action::EditUsers)?;
    let tx = cx.begin_directory().await?;
    let (mut account, user) = existing(&tx, id).await?;
    let administered = accounts::has_active_administrator(&*tx).await?;
    if account.active {
        account.active = false;
        (account.version, account.updated_at) = (account.version + 1, cx.now);
        account.generation += 1;
        accounts::replace(&*tx, &account).await?;
        administrators_remain(&tx, administered, "id").await?;
        sessions::end_all(&*tx, id, None).await?;
        cx.record(&tx, &[cx.change(ActivityKind::UserDeactivated, id, account.id)]).await?;
    }
    let made = ownership::service_account_keys_made_by(&*tx, id).await?;
    tx.commit().await?;
    let visible = match cx.may(Action::ViewKeys) {
        Ok(reach) => keys::find_many(cx.app.db.reader(), &reach, &made).await?,
        Err(_) => Vec::new(),
    };
    Ok(Deactivated { user: (account, user), service_account_keys: visible })
}

/// Lets a user be used again. That gives back all they hold, which the caller must hold too.
pub async fn reactivate(cx: &Context, id: UserId) -> Result<UserRow> {
    cx.may(Action::EditUsers)?;
    let tx = cx.begin_directory().await?;
    let (mut account, user) = existing(&tx, id).await?;
    if !account.active {
        may_become(cx, &tx, account.id, "id").await?;
        account.active = true;
        (account.version, account.updated_at) = (account.version + 1, cx.now);
        accounts::replace(&*tx, &account).await?;
        cx.record(&tx, &[cx.change(ActivityKind::UserReactivated, id, account.id)]).await?;
        tx.commit().await?;
    }
    Ok((account, user))
}

/// Whether anybody could administer this server: what the start screen asks.
pub async fn has_administrator(app: &App) -> Result<bool> {
    accounts::has_active_administrator(app.db.reader()).await
}

/// The hash of a password, made before a transaction opens, if it is hard to guess for whoever knows these texts.
async fn hashed(
    cx: &Context,
    password: Option<WantedPassword>,
    known: &[&str],
) -> Result<Option<SecretHash>> {
    match password {
        Some(wanted) => cx.app.passwords.hash(judge("password", wanted, known)?).await.map(Some),
        None => Ok(None),
    }
}

/// The hash of a new password, which must be hard to guess for whoever knows the user as they were or will be.
async fn new_hash(
    cx: &Context,
    id: UserId,
    wanted: WantedPassword,
    changes: &UserChanges,
) -> Result<Option<SecretHash>> {
    let Some((_, before)) = accounts::user_by_id(cx.app.db.reader(), id).await? else {
        return Err(UserError::not_found("id", id.into()).into());
    };
    let mut known = known_of(&before).to_vec();
    known.extend(changes.email.as_deref());
    known.extend(changes.handle.iter().flatten().map(String::as_str));
    known.extend(changes.display_name.as_ref().map(Name::as_str));
    hashed(cx, Some(wanted), &known).await
}

async fn regroup(
    cx: &Context,
    tx: &Tx,
    id: UserId,
    (new_roles, new_groups): (Option<Vec<RoleId>>, Option<Vec<GroupId>>),
) -> Result<()> {
    let mut field = "groupIds";
    let administered = accounts::has_active_administrator(&**tx).await?;
    if let Some(wanted) = new_roles {
        let had = roles::of_users(&**tx, &[id]).await?.remove(&id).unwrap_or_default();
        roles::set_of_user(&**tx, id, &roles_to_have(cx, tx, &had, &wanted).await?).await?;
        if !accounts::has_active_administrator(&**tx).await? {
            field = "roleIds";
        }
    }
    if let Some(wanted) = new_groups {
        let had = groups::of_users(&**tx, &[id]).await?.remove(&id).unwrap_or_default();
        let wanted = unique(&wanted);
        let new: Vec<GroupId> =
            wanted.iter().copied().filter(|id| !had.iter().any(|group| group.id == *id)).collect();
        existing_groups(cx, tx, &new).await?;
        groups::set_of_user(&**tx, id, &wanted).await?;
    }
    administrators_remain(tx, administered, field).await
}

fn unique(ids: &[GroupId]) -> Vec<GroupId> {
    let mut seen = HashSet::new();
    ids.iter().copied().filter(|id| seen.insert(*id)).collect()
}

async fn existing(tx: &Tx, id: UserId) -> Result<UserRow> {
    let found = accounts::behind_rows(&**tx, &[id.into()]).await?.pop();
    found.and_then(Owner::into_user).ok_or_else(|| UserError::not_found("id", id.into()).into())
}

/// Groups to join are there, and the caller may give what their roles grant.
async fn existing_groups(cx: &Context, tx: &Tx, wanted: &[GroupId]) -> Result<()> {
    all_there("groupIds", wanted, groups::find_many(&**tx, wanted).await?, |group| group.id)?;
    let carried: Vec<role::Model> = groups::roles_of(&**tx, wanted).await?.into_values().flatten().collect();
    may_give(cx, tx, &carried, "groupIds").await
}

async fn check_email(tx: &Tx, email: &str, own: Option<UserId>) -> Result<()> {
    let holder = accounts::user_by_email(&**tx, email).await?.map(|user| user.id);
    Ok(must_be_free("email", holder, own, || {
        format!("A user with the e-mail address {email} already exists.")
    })?)
}

async fn check_handle(tx: &Tx, handle: &str, own: Option<UserId>) -> Result<()> {
    let holder = accounts::user_by_handle(&**tx, handle).await?.map(|user| user.id);
    Ok(must_be_free("handle", holder, own, || format!("A user with the handle {handle} already exists."))?)
}

/// How a user stands in the log: never the password.
async fn snapshot(tx: &Tx, user: &user::Model) -> Result<serde_json::Value> {
    let roles = roles::of_users(&**tx, &[user.id]).await?.remove(&user.id).unwrap_or_default();
    let groups = groups::of_users(&**tx, &[user.id]).await?.remove(&user.id).unwrap_or_default();
    Ok(serde_json::json!({
        "email": user.email,
        "handle": user.handle,
        "displayName": user.display_name,
        "roles": roles.into_iter().map(|role| role.name).collect::<Vec<_>>(),
        "groups": groups.into_iter().map(|group| group.name).collect::<Vec<_>>(),
    }))
}
