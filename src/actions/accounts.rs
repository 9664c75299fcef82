//! Users and service accounts as owners and actors.

use entity::AccountId;
use entity::account::AccountKind;

use crate::access::Action;
use crate::app::context::Context;
use crate::error::Result;
use crate::store::accounts;

pub use crate::store::accounts::{Owner, ServiceAccountRow, UserRow};

/// Users or service accounts: the caller's own, or any with the scope for their kind.
pub async fn find_many(cx: &Context, kind: AccountKind, ids: &[AccountId]) -> Result<Vec<Owner>> {
    let reach = cx.may(match kind {
        AccountKind::User => Action::ViewUsers,
        AccountKind::ServiceAccount => Action::ViewServiceAccounts,
    })?;
    let mut found = accounts::find_many(cx.app.db.reader(), &reach, ids).await?;
    found.retain(|owner| owner.account().kind == kind);
    Ok(found)
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
