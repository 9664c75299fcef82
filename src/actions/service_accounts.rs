//! Service accounts: owners of keys that belong to no person. They hold nothing by themselves.

use entity::account::AccountKind;
use entity::activity::ActivityKind;
use entity::{AccountId, ServiceAccountId, service_account};

use crate::access::Action;
use crate::app::context::Context;
use crate::app::edits::{check_version, difference, must_be_free};
use crate::error::{Result, UserError};
use crate::store::accounts::{Owner, ServiceAccountRow};
use crate::store::page::{ForeignCursor, Page, PageRequest};
use crate::store::{Tx, accounts, ownership};
use crate::values::{Name, Search};

/// What to change: outer `None` leaves a property as it is.
#[derive(Clone, Debug, Default)]
pub struct ServiceAccountChanges {
    pub name: Option<Name>,
    pub description: Option<Option<String>>,
}

/// The service accounts that a search finds, by name.
pub async fn list(
    cx: &Context,
    search: Option<&Search>,
    request: &PageRequest,
) -> Result<Result<Page<ServiceAccountRow>, ForeignCursor>> {
    let reach = cx.may(Action::ViewServiceAccounts)?;
    accounts::list_service_accounts(cx.app.db.reader(), &reach, search, request).await
}

pub async fn count(cx: &Context, search: Option<&Search>) -> Result<u64> {
    let reach = cx.may(Action::ViewServiceAccounts)?;
    accounts::count_service_accounts(cx.app.db.reader(), &reach, search).await
}

pub async fn create(cx: &Context, name: Name, description: Option<String>) -> Result<ServiceAccountRow> {
    cx.may(Action::EditServiceAccounts)?;
    let tx = cx.begin_directory().await?;
    check_name(&tx, name.as_str(), None).await?;
    let id = cx.id();
    let account =
        accounts::new_account(AccountId(id), AccountKind::ServiceAccount, cx.caller.actor(), cx.now);
    let row = service_account::Model {
        id: ServiceAccountId(id),
        name: name.into_string(),
        description,
        built_in: false,
    };
    accounts::add_service_account(&*tx, account.clone(), row.clone()).await?;
    let event = cx.change(ActivityKind::ServiceAccountCreated, row.id, account.id);
    cx.record_change(&tx, event, serde_json::json!({ "after": snapshot(&row) })).await?;
    tx.commit().await?;
    Ok((account, row))
}

pub async fn update(
    cx: &Context,
    id: ServiceAccountId,
    version: Option<i32>,
    changes: ServiceAccountChanges,
) -> Result<ServiceAccountRow> {
    cx.may(Action::EditServiceAccounts)?;
    let tx = cx.begin_directory().await?;
    let (mut account, before) = editable(&tx, id).await?;
    check_version(version, account.version, "service account", id)?;
    let mut after = before.clone();
    if let Some(name) = changes.name {
        check_name(&tx, name.as_str(), Some(id)).await?;
        after.name = name.into_string();
    }
    if let Some(description) = changes.description {
        after.description = description;
    }
    (account.version, account.updated_at) = (account.version + 1, cx.now);
    accounts::replace(&*tx, &account).await?;
    accounts::replace_service_account(&*tx, &after).await?;
    let event = cx.change(ActivityKind::ServiceAccountUpdated, id, account.id);
    cx.record_change(&tx, event, difference(snapshot(&before), snapshot(&after))).await?;
    tx.commit().await?;
    Ok((account, after))
}

/// Deletes a service account that never had a key: the log and deleted keys name their owner for good.
pub async fn delete(cx: &Context, id: ServiceAccountId) -> Result<ServiceAccountId> {
    cx.may(Action::EditServiceAccounts)?;
    let tx = cx.begin_directory().await?;
    let (account, row) = editable(&tx, id).await?;
    let owned = ownership::some_keys(&*tx, account.id).await?;
    if !owned.is_empty() {
        let message = "This service account has or had API keys, so it cannot be deleted. Delete the API \
            keys that are left instead.";
        return Err(UserError::in_use(message, id, owned.into_iter().map(Into::into).collect()).into());
    }
    accounts::delete_service_account(&*tx, id).await?;
    let event = cx.change(ActivityKind::ServiceAccountDeleted, id, account.id);
    cx.record_change(&tx, event, serde_json::json!({ "before": snapshot(&row) })).await?;
    tx.commit().await?;
    Ok(id)
}

async fn editable(tx: &Tx, id: ServiceAccountId) -> Result<ServiceAccountRow> {
    let found = accounts::behind_rows(&**tx, &[AccountId(id.0)]).await?.pop();
    match found.and_then(Owner::into_service_account) {
        Some((_, row)) if row.built_in => Err(UserError::built_in("service account", id).into()),
        Some(found) => Ok(found),
        None => Err(UserError::not_found("id", id.into()).into()),
    }
}

async fn check_name(tx: &Tx, name: &str, own: Option<ServiceAccountId>) -> Result<()> {
    let holder = accounts::service_account_by_name(&**tx, name).await?.map(|account| account.id);
    let message = || format!("Another service account is already named `{name}`. Choose another name.");
    Ok(must_be_free("name", holder, own, message)?)
}

fn snapshot(row: &service_account::Model) -> serde_json::Value {
    serde_json::json!({ "name": row.name, "description": row.description })
}
