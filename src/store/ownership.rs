//! Which keys an account has, or has made for others.

use entity::account::AccountKind;
use entity::api_key::{self, Column};
use entity::{AccountId, KeyId, ObjectKind, UserId, account};
use sea_orm::sea_query::{Condition, Query};
use sea_orm::{ColumnTrait as _, ConnectionTrait, QueryFilter as _, QuerySelect as _};

use super::roles::SOME;
use super::rows;
use crate::error::Result;

/// Keys of an owner, deleted ones too; at most 100.
pub async fn some_keys(db: &impl ConnectionTrait, owner: AccountId) -> Result<Vec<KeyId>> {
    let keys = rows::before_permission::<api_key::Entity>().filter(Column::OwnerId.eq(owner));
    Ok(keys.limit(SOME).all(db).await?.into_iter().map(|key| key.id).collect())
}

/// The keys of an owner that are not deleted.
pub async fn existing_keys_of(db: &impl ConnectionTrait, owner: AccountId) -> Result<Vec<KeyId>> {
    let keys = rows::before_permission::<api_key::Entity>()
        .filter(Column::OwnerId.eq(owner))
        .filter(Column::DeletedAt.is_null());
    Ok(keys.all(db).await?.into_iter().map(|key| key.id).collect())
}

/// Keys of service accounts that a user made, or made through a key of theirs, and that are not deleted; at most 100.
pub async fn service_account_keys_made_by(db: &impl ConnectionTrait, user: UserId) -> Result<Vec<KeyId>> {
    let own = Query::select()
        .column(Column::Id)
        .from(api_key::Entity)
        .and_where(Column::OwnerId.eq(AccountId::from(user)))
        .take();
    let service_accounts = Query::select()
        .column(account::Column::Id)
        .from(account::Entity)
        .and_where(account::Column::Kind.eq(AccountKind::ServiceAccount))
        .take();
    let made = Condition::any()
        .add(
            Condition::all()
                .add(Column::CreatedByKind.eq(ObjectKind::User))
                .add(Column::CreatedById.eq(user.0)),
        )
        .add(
            Condition::all()
                .add(Column::CreatedByKind.eq(ObjectKind::ApiKey))
                .add(Column::CreatedById.in_subquery(own)),
        );
    let keys = rows::before_permission::<api_key::Entity>()
        .filter(Column::OwnerId.in_subquery(service_accounts))
        .filter(Column::DeletedAt.is_null())
        .filter(made);
    Ok(keys.limit(SOME).all(db).await?.into_iter().map(|key| key.id).collect())
}
