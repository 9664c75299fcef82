//! Which keys, and in which order: one condition for lists, counts and changes of many.

use std::collections::HashSet;

use entity::account::AccountKind;
use entity::api_key::{self, Column, KeyState};
use entity::{
    AccountId, GlobalId, GroupId, KeyId, ObjectKind, RoleId, Timestamp, account_scope, group_member,
    key_role, key_scope, key_secret, role_grant, scope,
};
use sea_orm::sea_query::{Condition, Expr, ExprTrait as _, Query, SelectStatement};
use sea_orm::{ColumnTrait as _, ConnectionTrait, DbBackend, PaginatorTrait as _, QueryFilter as _};

use super::keys::Key;
use super::page::{self, ForeignCursor, Page, PageRequest, Sort};
use super::{rows, search};
use crate::access::Reach;
use crate::error::Result;
use crate::values::Search;

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
    pub search: Option<Search>,
    pub ids: Option<Vec<KeyId>>,
    pub owners: Option<Vec<AccountId>>,
    pub owner_kind: Option<AccountKind>,
    /// The owner is a member.
    pub groups: Option<Vec<GroupId>>,
    pub created_by: Option<Vec<GlobalId>>,
    /// Without it, deleted keys and those of inactive owners are left out.
    pub status: Option<Vec<KeyStatus>>,
    /// Given to the key itself.
    pub roles: Option<Vec<RoleId>>,
    /// Names of which an exchange can grant one now, at most [`MAX_SCOPES`].
    pub scopes: Option<Vec<String>>,
    pub read_only: Option<bool>,
    pub created_before: Option<Timestamp>,
    pub created_after: Option<Timestamp>,
    pub expires_before: Option<Timestamp>,
    /// A key that was never used counts from its creation.
    pub last_used_before: Option<Timestamp>,
    pub never_used: Option<bool>,
    /// The current secret.
    pub secret_issued_before: Option<Timestamp>,
}

/// The most names of scopes in a filter: each makes the query longer.
pub const MAX_SCOPES: usize = 20;

/// What a list of keys is ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyOrder {
    CreatedAt,
    Name,
    LastUsedAt,
    ExpiresAt,
}

impl KeyFilter {
    /// The whole filter as SQL for the database behind the connection; searches differ between databases.
    pub(super) fn condition(&self, now: Timestamp, backend: DbBackend) -> Condition {
        Condition::all()
            .add_option(self.search.as_ref().map(|search| search::keys(search, now, backend)))
            .add_option(self.ids.as_ref().map(|ids| Column::Id.is_in(ids.iter().copied())))
            .add(self.of_owners())
            .add_option(self.created_by.as_ref().map(|actors| made_by(actors)))
            .add(self.in_status(now))
            .add_option(self.roles.as_ref().map(|roles| Column::Id.in_subquery(with_roles(roles))))
            .add_option(
                self.scopes
                    .as_ref()
                    .map(|names| names.iter().fold(Condition::any(), |any, name| any.add(with_scope(name)))),
            )
            .add_option(self.read_only.map(|read_only| Column::ReadOnly.eq(read_only)))
            .add(self.in_time())
    }

    fn of_owners(&self) -> Condition {
        let members = |groups: &Vec<GroupId>| {
            Query::select()
                .column(group_member::Column::UserId)
                .from(group_member::Entity)
                .and_where(group_member::Column::GroupId.is_in(groups.iter().copied()))
                .take()
        };
        Condition::all()
            .add_option(self.owners.as_ref().map(|owners| Column::OwnerId.is_in(owners.iter().copied())))
            .add_option(self.owner_kind.map(|kind| Expr::exists(rows::owner_of_kind(kind))))
            .add_option(self.groups.as_ref().map(|groups| Column::OwnerId.in_subquery(members(groups))))
    }

    fn in_status(&self, now: Timestamp) -> Condition {
        match &self.status {
            Some(wanted) => {
                wanted.iter().fold(Condition::any(), |any, status| any.add(has_status(*status, now)))
            }
            None => Condition::all()
                .add(has_status(KeyStatus::Deleted, now).not())
                .add(has_status(KeyStatus::OwnerInactive, now).not()),
        }
    }

    fn in_time(&self) -> Condition {
        let unused_since = |before: Timestamp| {
            let never = Column::LastUsedAt.is_null().and(Column::CreatedAt.lt(before));
            Column::LastUsedAt.lt(before).or(never)
        };
        let never_used =
            |never| if never { Column::LastUsedAt.is_null() } else { Column::LastUsedAt.is_not_null() };
        let with_secret = |before| Column::Id.in_subquery(with_secret_issued_before(before));
        Condition::all()
            .add_option(self.created_before.map(|before| Column::CreatedAt.lt(before)))
            .add_option(self.created_after.map(|after| Column::CreatedAt.gt(after)))
            .add_option(self.expires_before.map(|before| Column::ExpiresAt.lt(before)))
            .add_option(self.last_used_before.map(unused_since))
            .add_option(self.never_used.map(never_used))
            .add_option(self.secret_issued_before.map(with_secret))
    }
}

/// The same rule as [`status`], for the database.
fn has_status(status: KeyStatus, now: Timestamp) -> Condition {
    let owner_inactive = rows::owner_is_inactive;
    let ended = || Condition::all().add(Column::ExpiresAt.is_not_null()).add(Column::ExpiresAt.lte(now));
    let state = |state: KeyState| Condition::all().add(Column::State.eq(state));
    match status {
        KeyStatus::Deleted => state(KeyState::Deleted),
        KeyStatus::Pending => state(KeyState::Pending),
        KeyStatus::OwnerInactive => Condition::all()
            .add(Column::State.is_in([KeyState::Enabled, KeyState::Disabled]))
            .add(owner_inactive()),
        KeyStatus::Disabled => state(KeyState::Disabled).add(owner_inactive().not()),
        KeyStatus::Expired => state(KeyState::Enabled).add(owner_inactive().not()).add(ended()),
        KeyStatus::Active => state(KeyState::Enabled).add(owner_inactive().not()).add(ended().not()),
    }
}

fn made_by(actors: &[GlobalId]) -> Condition {
    let of_kind = |kind| {
        let ids = actors.iter().filter(|actor| actor.kind == kind).map(|actor| actor.uuid);
        Condition::all().add(Column::CreatedById.is_in(ids)).add(Column::CreatedByKind.eq(kind))
    };
    let kinds: HashSet<ObjectKind> = actors.iter().map(|actor| actor.kind).collect();
    kinds.into_iter().fold(Condition::any(), |any, kind| any.add(of_kind(kind)))
}

fn with_roles(roles: &[RoleId]) -> SelectStatement {
    Query::select()
        .column(key_role::Column::KeyId)
        .from(key_role::Entity)
        .and_where(key_role::Column::RoleId.is_in(roles.iter().copied()))
        .take()
}

fn with_secret_issued_before(before: Timestamp) -> SelectStatement {
    use key_secret::Column;
    Query::select()
        .column(Column::KeyId)
        .from(key_secret::Entity)
        .and_where(Column::ValidUntil.is_null())
        .and_where(Column::CreatedAt.lt(before))
        .take()
}

/// Keys that can be granted this scope now. The same rule as the view `effective_scopes`, which is made for one key and
/// all its scopes, from the other side: one scope and all keys.
fn with_scope(name: &str) -> Condition {
    let scopes = || {
        let scopes = Query::select().column(scope::Column::Id).from(scope::Entity).take();
        scopes.clone().and_where(scope::Column::Name.eq(name)).take()
    };
    let this = || Expr::SubQuery(None, Box::new(scopes().into()));
    let reads = scopes().and_where(scope::Column::Kind.eq(scope::ScopeKind::Read)).take();
    let holders = Query::select()
        .column(account_scope::Column::AccountId)
        .from(account_scope::Entity)
        .and_where(Expr::col(account_scope::Column::ScopeId).eq(this()))
        .take();
    let given = || {
        Condition::any().add(Expr::exists(given_directly(this()))).add(Expr::exists(given_by_role(this())))
    };
    let by_user = Condition::all()
        .add(Column::OwnerId.in_subquery(holders))
        .add(given().add(Column::InheritsOwner.eq(true)));
    let by_service_account =
        Condition::all().add(given()).add(Expr::exists(rows::owner_of_kind(AccountKind::ServiceAccount)));
    Condition::all()
        .add(Condition::any().add(Column::ReadOnly.eq(false)).add(Expr::exists(reads)))
        .add(Condition::any().add(by_user).add(by_service_account))
}

/// That the key at hand was given this scope.
fn given_directly(scope: Expr) -> SelectStatement {
    use key_scope::Column as Link;
    Query::select()
        .expr(Expr::val(1))
        .from(key_scope::Entity)
        .and_where(Expr::col((key_scope::Entity, Link::KeyId)).equals((api_key::Entity, Column::Id)))
        .and_where(Expr::col((key_scope::Entity, Link::ScopeId)).eq(scope))
        .take()
}

/// That the key at hand was given a role that grants this scope.
fn given_by_role(scope: Expr) -> SelectStatement {
    use key_role::Column as Link;
    let granting = Query::select()
        .column(role_grant::Column::RoleId)
        .from(role_grant::Entity)
        .and_where(Expr::col(role_grant::Column::ScopeId).eq(scope))
        .take();
    Query::select()
        .expr(Expr::val(1))
        .from(key_role::Entity)
        .and_where(Expr::col((key_role::Entity, Link::KeyId)).equals((api_key::Entity, Column::Id)))
        .and_where(Expr::col((key_role::Entity, Link::RoleId)).in_subquery(granting))
        .take()
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
        KeyOrder::LastUsedAt => (3, Some(Column::LastUsedAt)),
    };
    let sort = Sort { order: tag, column, id: Column::Id, descending };
    let condition = filter.condition(now, db.get_database_backend());
    page::fetch(db, rows::keys(reach).filter(condition), sort, request).await
}

pub async fn count(
    db: &impl ConnectionTrait,
    reach: &Reach,
    filter: &KeyFilter,
    now: Timestamp,
) -> Result<u64> {
    let condition = filter.condition(now, db.get_database_backend());
    Ok(rows::keys(reach).filter(condition).count(db).await?)
}
