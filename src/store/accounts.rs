//! Users and service accounts.

use entity::account::{self, AccountKind};
use entity::{AccountId, service_account, user};
use sea_orm::{ColumnTrait as _, ConnectionTrait, QueryFilter as _};

use super::rows;
use crate::access::Reach;
use crate::error::{Error, Result};

/// Whom keys belong to.
#[derive(Clone, Debug)]
pub enum Owner {
    User(account::Model, user::Model),
    ServiceAccount(account::Model, service_account::Model),
}

impl Owner {
    pub fn account(&self) -> &account::Model {
        match self {
            Self::User(account, _) | Self::ServiceAccount(account, _) => account,
        }
    }
}

/// The accounts with these ids that are within reach.
pub async fn find_many(db: &impl ConnectionTrait, reach: &Reach, ids: &[AccountId]) -> Result<Vec<Owner>> {
    let accounts =
        rows::accounts(reach).filter(account::Column::Id.is_in(ids.iter().copied())).all(db).await?;
    complete(db, accounts).await
}

/// The accounts behind keys and events that were in reach already: whoever sees a key sees whose it is.
pub async fn behind_rows(db: &impl ConnectionTrait, ids: &[AccountId]) -> Result<Vec<Owner>> {
    let accounts =
        rows::before_permission::<account::Entity>().filter(account::Column::Id.is_in(ids.iter().copied()));
    complete(db, accounts.all(db).await?).await
}

async fn complete(db: &impl ConnectionTrait, accounts: Vec<account::Model>) -> Result<Vec<Owner>> {
    let of_kind =
        |kind| accounts.iter().filter(move |account| account.kind == kind).map(|account| account.id);
    let users = rows::before_permission::<user::Entity>()
        .filter(user::Column::Id.is_in(of_kind(AccountKind::User)))
        .all(db)
        .await?;
    let service_accounts = rows::before_permission::<service_account::Entity>()
        .filter(service_account::Column::Id.is_in(of_kind(AccountKind::ServiceAccount)))
        .all(db)
        .await?;
    let owner = |account: &account::Model| {
        let account = account.clone();
        let user = users.iter().find(|user| user.id.0 == account.id.0);
        let service_account = service_accounts.iter().find(|service| service.id.0 == account.id.0);
        match (user, service_account) {
            (Some(user), _) => Some(Owner::User(account, user.clone())),
            (None, Some(service)) => Some(Owner::ServiceAccount(account, service.clone())),
            (None, None) => None,
        }
    };
    Ok(accounts.iter().filter_map(owner).collect())
}

pub async fn user_by_email(db: &impl ConnectionTrait, email: &str) -> Result<Option<user::Model>> {
    Ok(rows::before_permission::<user::Entity>().filter(user::Column::Email.eq(email)).one(db).await?)
}

pub async fn service_account_by_name(
    db: &impl ConnectionTrait,
    name: &str,
) -> Result<Option<service_account::Model>> {
    let found =
        rows::before_permission::<service_account::Entity>().filter(service_account::Column::Name.eq(name));
    Ok(found.one(db).await?)
}

/// Whether a user exists who holds the role that grants everything.
pub async fn has_administrator(db: &impl ConnectionTrait, role: entity::RoleId) -> Result<bool> {
    use entity::user_role::{Column, Entity};
    Ok(rows::shared::<Entity>().filter(Column::RoleId.eq(role)).one(db).await?.is_some())
}

pub async fn add_user(db: &impl ConnectionTrait, account: account::Model, user: user::Model) -> Result<()> {
    rows::add(db, account).await?;
    rows::add(db, user).await.map_err(Error::from)
}

pub async fn add_service_account(
    db: &impl ConnectionTrait,
    account: account::Model,
    service_account: service_account::Model,
) -> Result<()> {
    rows::add(db, account).await?;
    rows::add(db, service_account).await.map_err(Error::from)
}
