//! Which keys, and in which order: one condition for lists, counts and changes of many.

use entity::account::AccountKind;
use entity::api_key::{self, Column, KeyState};
use entity::{AccountId, KeyId, Timestamp};
use sea_orm::sea_query::Condition;
use sea_orm::{ColumnTrait as _, ConnectionTrait, PaginatorTrait as _, QueryFilter as _};

use super::keys::Key;
use super::page::{self, ForeignCursor, Page, PageRequest, Sort};
use super::rows;
use crate::access::Reach;
use crate::error::Result;

/// What a key is at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyStatus {
    Pending,
    Active,
    Disabled,
    Expired,
    OwnerInactive,
    Deleted,
}

/// The first that applies, in the order of the design: a deleted key is deleted, whatever else it is.
pub fn status(key: &api_key::Model, owner_active: bool, now: Timestamp) -> KeyStatus {
    match key.state {
        KeyState::Deleted => KeyStatus::Deleted,
        KeyState::Pending => KeyStatus::Pending,
        _ if !owner_active => KeyStatus::OwnerInactive,
        KeyState::Disabled => KeyStatus::Disabled,
        KeyState::Enabled if key.expires_at.is_some_and(|end| end <= now) => KeyStatus::Expired,
        KeyState::Enabled => KeyStatus::Active,
    }
}

/// Which keys: all conditions hold together, a list means any of its values.
#[derive(Clone, Debug, Default)]
pub struct KeyFilter {
    pub ids: Option<Vec<KeyId>>,
    pub owners: Option<Vec<AccountId>>,
    pub owner_kind: Option<AccountKind>,
    /// Without it, deleted keys and those of inactive owners are left out.
    pub status: Option<Vec<KeyStatus>>,
    pub read_only: Option<bool>,
    pub created_before: Option<Timestamp>,
    pub created_after: Option<Timestamp>,
    pub expires_before: Option<Timestamp>,
}

/// What a list of keys is ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyOrder {
    CreatedAt,
    Name,
    ExpiresAt,
}

impl KeyFilter {
    pub(super) fn condition(&self, now: Timestamp) -> Condition {
        let any_status = |wanted: &[KeyStatus]| {
            wanted.iter().fold(Condition::any(), |any, status| any.add(has_status(*status, now)))
        };
        Condition::all()
            .add_option(self.ids.as_ref().map(|ids| Column::Id.is_in(ids.iter().copied())))
            .add_option(self.owners.as_ref().map(|owners| Column::OwnerId.is_in(owners.iter().copied())))
            .add_option(self.owner_kind.map(|kind| Column::OwnerId.in_subquery(rows::accounts_of(kind))))
            .add(match &self.status {
                Some(wanted) => any_status(wanted),
                None => Condition::all()
                    .add(has_status(KeyStatus::Deleted, now).not())
                    .add(has_status(KeyStatus::OwnerInactive, now).not()),
            })
            .add_option(self.read_only.map(|read_only| Column::ReadOnly.eq(read_only)))
            .add_option(self.created_before.map(|before| Column::CreatedAt.lt(before)))
            .add_option(self.created_after.map(|after| Column::CreatedAt.gt(after)))
            .add_option(self.expires_before.map(|before| Column::ExpiresAt.lt(before)))
    }
}

/// The same rule as [`status`], for the database.
fn has_status(status: KeyStatus, now: Timestamp) -> Condition {
    let owner_inactive = || Column::OwnerId.in_subquery(rows::inactive_accounts());
    let owner_active = || Column::OwnerId.not_in_subquery(rows::inactive_accounts());
    let ended = || Condition::all().add(Column::ExpiresAt.is_not_null()).add(Column::ExpiresAt.lte(now));
    let state = |state: KeyState| Condition::all().add(Column::State.eq(state));
    match status {
        KeyStatus::Deleted => state(KeyState::Deleted),
        KeyStatus::Pending => state(KeyState::Pending),
        KeyStatus::OwnerInactive => Condition::all()
            .add(Column::State.is_in([KeyState::Enabled, KeyState::Disabled]))
            .add(owner_inactive()),
        KeyStatus::Disabled => state(KeyState::Disabled).add(owner_active()),
        KeyStatus::Expired => state(KeyState::Enabled).add(owner_active()).add(ended()),
        KeyStatus::Active => state(KeyState::Enabled).add(owner_active()).add(ended().not()),
    }
}

pub async fn list(
    db: &impl ConnectionTrait,
    reach: &Reach,
    (filter, now): (&KeyFilter, Timestamp),
    (order, descending): (KeyOrder, bool),
    request: &PageRequest,
) -> Result<Result<Page<Key>, ForeignCursor>> {
    let (tag, column) = match order {
        KeyOrder::CreatedAt => (0, None),
        KeyOrder::Name => (1, Some(Column::Name)),
        KeyOrder::ExpiresAt => (2, Some(Column::ExpiresAt)),
    };
    let sort = Sort { order: tag, column, id: Column::Id, descending };
    page::fetch(db, rows::keys(reach).filter(filter.condition(now)), sort, request).await
}

pub async fn count(
    db: &impl ConnectionTrait,
    reach: &Reach,
    filter: &KeyFilter,
    now: Timestamp,
) -> Result<u64> {
    Ok(rows::keys(reach).filter(filter.condition(now)).count(db).await?)
}
