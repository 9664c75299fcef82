//! The rule of giving: nobody obtains or gives what they do not hold, and an administrator remains.

use std::collections::HashMap;

use entity::account::AccountKind;
use entity::{AccountId, KeyId, RoleId, role};

use crate::access::{Caller, Scopes};
use crate::app::context::Context;
use crate::app::edits::all_there;
use crate::error::{Result, UserError, UserErrorCode};
use crate::store::keys::Key;
use crate::store::{Connection, Tx, accounts, keys, roles};

/// Nobody obtains or gives what they do not hold.
pub(crate) fn must_hold(cx: &Context, wanted: &Scopes, field: &'static str) -> Result<(), UserError> {
    let lacking = cx.caller.lacks(wanted);
    if lacking.is_empty() {
        return Ok(());
    }
    let message = format!(
        "You cannot assign or obtain scopes that you do not hold: {}. Choose roles and scopes that you hold \
            yourself.",
        lacking.text()
    );
    Err(UserError::new(UserErrorCode::ScopeNotHeld, field, message))
}

/// What roles grant together.
pub(crate) async fn scopes_of_roles(tx: &Tx, of: &[RoleId]) -> Result<Scopes> {
    let scopes = roles::scopes_of(&**tx, of).await?;
    Ok(scopes.into_values().flatten().map(|scope| scope.name).collect())
}

/// The roles wanted in the place of those had: all are there, and the caller may give those that are new.
pub(crate) async fn roles_to_have(
    cx: &Context,
    tx: &Tx,
    had: &[role::Model],
    wanted: &[RoleId],
) -> Result<Vec<RoleId>> {
    let mut roles = all_there("roleIds", wanted, roles::find_many(&**tx, wanted).await?, |role| role.id)?;
    let ids = roles.iter().map(|role| role.id).collect();
    roles.retain(|role| !had.iter().any(|had| had.id == role.id));
    may_give(cx, tx, &roles, "roleIds").await?;
    Ok(ids)
}

/// Roles are given by whoever holds what they grant; one that grants everything, also in future, by whoever has such a
/// role.
pub(crate) async fn may_give(
    cx: &Context,
    tx: &Tx,
    given: &[role::Model],
    field: &'static str,
) -> Result<()> {
    let ids: Vec<RoleId> = given.iter().map(|role| role.id).collect();
    must_hold(cx, &scopes_of_roles(tx, &ids).await?, field)?;
    if !given.iter().any(|role| role.all_scopes) || holds_everything(&**tx, &cx.caller).await? {
        return Ok(());
    }
    Err(everything_not_held(field).into())
}

/// How strong a key is: what it was given, and whether that is everything, now and in future.
#[derive(Clone, Debug, Default)]
pub(crate) struct Strength {
    pub scopes: Scopes,
    pub everything: bool,
}

impl Strength {
    /// What it has and the other has not.
    pub(crate) fn beyond(&self, other: &Self) -> Self {
        Self { scopes: self.scopes.without(&other.scopes), everything: self.everything && !other.everything }
    }

    pub(crate) fn is_nothing(&self) -> bool {
        self.scopes.is_empty() && !self.everything
    }
}

/// How strong each key is.
pub(crate) async fn strengths(db: &impl Connection, of: &[&Key]) -> Result<HashMap<KeyId, Strength>> {
    strengths_in(db, of, |_| true).await
}

/// Why the caller may not obtain the strength of each of these keys, for each for which that is so. Only what the caller
/// does not hold is looked for: of many keys that is far less than what they were given.
pub(crate) async fn too_strong(
    cx: &Context,
    db: &impl Connection,
    of: &[&Key],
) -> Result<HashMap<KeyId, UserError>> {
    let beyond = strengths_in(db, of, |scope| !cx.caller.holds(scope)).await?;
    may_not_obtain(cx, db, beyond, "selection").await
}

async fn strengths_in(
    db: &impl Connection,
    of: &[&Key],
    matters: impl Fn(&str) -> bool,
) -> Result<HashMap<KeyId, Strength>> {
    let ids: Vec<KeyId> = of.iter().map(|key| key.id).collect();
    let mut scopes = keys::strength_of(db, of, matters).await?;
    let everything = keys::granting_everything(db, &ids).await?;
    let strength = ids.into_iter().map(|id| {
        let scopes = scopes.remove(&id).unwrap_or_default();
        (id, Strength { scopes, everything: everything.contains(&id) })
    });
    Ok(strength.collect())
}

/// Whoever obtains or gives the strength of a key holds it. Why the caller may not, for each key for which that is so.
pub(crate) async fn may_not_obtain(
    cx: &Context,
    db: &impl Connection,
    of: HashMap<KeyId, Strength>,
    field: &'static str,
) -> Result<HashMap<KeyId, UserError>> {
    let asks_for_all = of.values().any(|strength| strength.everything);
    let has_all = asks_for_all && holds_everything(db, &cx.caller).await?;
    let refused = of.into_iter().filter_map(|(key, strength)| {
        let lacking = must_hold(cx, &strength.scopes, field).err();
        let beyond = (strength.everything && !has_all).then(|| everything_not_held(field));
        Some((key, lacking.or(beyond)?))
    });
    Ok(refused.collect())
}

fn everything_not_held(field: &'static str) -> UserError {
    let message = "This grants every scope, now and in the future. Only a caller that holds every scope as \
        well can assign or obtain it.";
    UserError::new(UserErrorCode::ScopeNotHeld, field, message)
}

/// Whoever can become a user, by a password or an address, must hold all that the user holds.
pub(crate) async fn may_become(cx: &Context, tx: &Tx, user: AccountId, field: &'static str) -> Result<()> {
    must_hold(cx, &scopes_of_user(tx, user).await?, field)?;
    if !accounts::holds_everything(&**tx, user).await? || holds_everything(&**tx, &cx.caller).await? {
        return Ok(());
    }
    Err(everything_not_held(field).into())
}

/// Whether a caller holds everything, now and in future.
async fn holds_everything(db: &impl Connection, caller: &Caller) -> Result<bool> {
    match caller {
        Caller::Anonymous => Ok(false),
        Caller::Operator => Ok(true),
        Caller::Person(person) => accounts::holds_everything(db, person.user.into()).await,
        Caller::Machine(machine) => {
            let by_itself = !keys::granting_everything(db, &[machine.key]).await?.is_empty();
            let is_user = machine.owner_kind == AccountKind::User;
            Ok(by_itself && (!is_user || accounts::holds_everything(db, machine.owner).await?))
        }
    }
}

/// After a change on a server that was administered: somebody who is active still holds everything.
pub(crate) async fn administrators_remain(tx: &Tx, before: bool, field: &'static str) -> Result<()> {
    if !before || accounts::has_active_administrator(&**tx).await? {
        return Ok(());
    }
    let message =
        "This would leave nobody to administer the server. Assign the role `admin` to another user first.";
    Err(UserError::new(UserErrorCode::LastAdministrator, field, message).into())
}

/// What a user holds now.
async fn scopes_of_user(tx: &Tx, user: AccountId) -> Result<Scopes> {
    let scopes = accounts::scopes_of(&**tx, &[user]).await?;
    Ok(scopes.into_values().flatten().map(|scope| scope.name).collect())
}
