//! Users and service accounts as owners and actors.

use entity::AccountId;

use crate::access::Action;
use crate::context::Context;
use crate::error::Result;
use crate::store::accounts;

pub use crate::store::accounts::Owner;

/// A user or service account: the caller's own, or any with the scope for its kind.
pub async fn find(cx: &Context, id: AccountId, kind: entity::ObjectKind) -> Result<Option<Owner>> {
    let wants_user = kind == entity::ObjectKind::User;
    let action = if wants_user { Action::ViewUsers } else { Action::ViewServiceAccounts };
    let reach = cx.may(action)?;
    let found = accounts::find_many(cx.app.db.reader(), &reach, &[id]).await?.pop();
    Ok(found.filter(|owner| matches!(owner, Owner::User(..)) == wants_user))
}

/// The accounts behind keys and events that the caller sees already.
pub async fn behind_rows(cx: &Context, ids: &[AccountId]) -> Result<Vec<Owner>> {
    accounts::behind_rows(cx.app.db.reader(), ids).await
}

/// The user with this e-mail address or the service account with this name, for those who may make keys for anybody.
pub async fn find_by_name(cx: &Context, name: &str) -> Result<Option<AccountId>> {
    cx.may(Action::CreateKeyForOthers)?;
    let db = cx.app.db.reader();
    if let Some(user) = accounts::user_by_email(db, &name.to_lowercase()).await? {
        return Ok(Some(user.id.into()));
    }
    Ok(accounts::service_account_by_name(db, name).await?.map(|service_account| service_account.id.into()))
}
