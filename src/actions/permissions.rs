//! What a key would be granted, before anything is saved.

use std::collections::BTreeMap;

use entity::account::AccountKind;
use entity::scope::ScopeKind;
use entity::{AccountId, RoleId, role, scope};

use crate::access::builtin::KEYS_USE;
use crate::access::{Action, Scopes};
use crate::app::context::Context;
use crate::app::edits::{all_named, all_there};
use crate::error::{Result, UserError, UserErrorCode};
use crate::store::{accounts, roles, scopes};

/// A key that does not exist yet.
#[derive(Clone, Debug, Default)]
pub struct Preview {
    /// The account that the caller acts for, when left out.
    pub owner: Option<AccountId>,
    /// With neither roles nor scopes, all that a user holds.
    pub roles: Option<Vec<RoleId>>,
    pub scopes: Option<Vec<String>>,
    pub read_only: bool,
}

/// One scope, and how the key comes to it.
#[derive(Clone, Debug)]
pub struct Granted {
    pub scope: scope::Model,
    pub by: Vec<role::Model>,
    pub direct: bool,
}

/// Why a scope that was given is not granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Because {
    /// It, or the scope to use keys at all.
    OwnerLacksScope,
    ReadOnly,
}

/// What would be granted, and what would not, by name.
#[derive(Clone, Debug, Default)]
pub struct Permissions {
    pub grants: Vec<Granted>,
    pub withheld: Vec<(scope::Model, Because)>,
}

pub async fn preview(cx: &Context, preview: &Preview) -> Result<Permissions> {
    cx.may(Action::ViewRoles)?;
    cx.may(Action::ViewScopes)?;
    let owner = match (preview.owner, cx.account()) {
        (None, Some(own)) => own,
        (Some(owner), Some(own)) if owner == own => own,
        (Some(other), _) => {
            cx.may(Action::PreviewKeyForOthers)?;
            other
        }
        (None, None) => return Err(UserError::invalid("ownerId", "Set `ownerId`.").into()),
    };
    let db = cx.app.db.reader();
    let Some(account) = accounts::behind_rows(db, &[owner]).await?.pop() else {
        return Err(UserError::new(UserErrorCode::NotFound, "ownerId", "There is no such account.").into());
    };
    if !account.account().active {
        let message = "This account is deactivated: its API keys cannot be used.";
        return Err(UserError::invalid("ownerId", message).into());
    }
    let is_user = account.account().kind == AccountKind::User;
    let held: Scopes = match accounts::scopes_of(db, &[owner]).await?.remove(&owner) {
        Some(scopes) => scopes.into_iter().map(|scope| scope.name).collect(),
        None => Scopes::default(),
    };
    let mut permissions = Permissions::default();
    for (_, granted) in given(cx, owner, preview).await? {
        if granted.scope.kind == ScopeKind::Write && preview.read_only {
            permissions.withheld.push((granted.scope, Because::ReadOnly));
        } else if is_user && !(held.has(&granted.scope.name) && held.has(KEYS_USE)) {
            permissions.withheld.push((granted.scope, Because::OwnerLacksScope));
        } else {
            permissions.grants.push(granted);
        }
    }
    Ok(permissions)
}

/// What the key is given, by the name of the scope.
async fn given(cx: &Context, owner: AccountId, preview: &Preview) -> Result<BTreeMap<String, Granted>> {
    let db = cx.app.db.reader();
    let inherits = preview.roles.is_none() && preview.scopes.is_none();
    let wanted = match &preview.roles {
        _ if inherits => accounts::roles_of(db, owner).await?,
        Some(wanted) => wanted.clone(),
        None => Vec::new(),
    };
    let found = all_there("roleIds", &wanted, roles::find_many(db, &wanted).await?, |role| role.id)?;
    let mut by_role = roles::scopes_of(db, &wanted).await?;
    let mut given: BTreeMap<String, Granted> = BTreeMap::new();
    let granted = |scope: scope::Model| Granted { scope, by: Vec::new(), direct: false };
    for role in found {
        for scope in by_role.remove(&role.id).unwrap_or_default() {
            given.entry(scope.name.clone()).or_insert_with(|| granted(scope)).by.push(role.clone());
        }
    }
    let names = preview.scopes.as_deref().unwrap_or_default();
    let direct = all_named(names, scopes::find_by_names(db, names).await?)?;
    for scope in direct {
        given.entry(scope.name.clone()).or_insert_with(|| granted(scope)).direct = true;
    }
    Ok(given)
}
