//! Users and service accounts. Their lists are in `account_filter.rs`.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use entity::account::{self, AccountKind};
use entity::{
    AccountId, GlobalId, GroupId, ObjectKind, RoleId, ScopeId, ServiceAccountId, Timestamp, UserId,
    account_role, account_scope, group_member, group_role, role, scope, service_account, user, user_role,
};
use sea_orm::sea_query::{Condition, Expr, Query, SelectStatement};
use sea_orm::{ColumnTrait as _, ConnectionTrait, QueryFilter as _, QuerySelect as _};

use super::{rows, search};
use crate::access::Reach;
use crate::error::Result;

pub use super::account_filter::{
    UserFilter, count_service_accounts, count_users, list_service_accounts, list_users,
};

/// Whom keys belong to.
#[derive(Clone, Debug)]
pub enum Owner {
    User(account::Model, user::Model),
    ServiceAccount(account::Model, service_account::Model),
}

/// A user: the account, and the person.
pub type UserRow = (account::Model, user::Model);
/// A service account: what it has in common with users, and what is its own.
pub type ServiceAccountRow = (account::Model, service_account::Model);

impl Owner {
    pub fn into_user(self) -> Option<UserRow> {
        match self {
            Self::User(account, user) => Some((account, user)),
            Self::ServiceAccount(..) => None,
        }
    }

    pub fn into_service_account(self) -> Option<ServiceAccountRow> {
        match self {
            Self::ServiceAccount(account, service_account) => Some((account, service_account)),
            Self::User(..) => None,
        }
    }

    pub fn account(&self) -> &account::Model {
        match self {
            Self::User(account, _) | Self::ServiceAccount(account, _) => account,
        }
    }
}

/// A row for a new account.
pub fn new_account(
    id: AccountId,
    kind: AccountKind,
    made_by: Option<GlobalId>,
    now: Timestamp,
) -> account::Model {
    account::Model {
        id,
        kind,
        active: true,
        generation: 0,
        version: 1,
        created_by_kind: made_by.map_or(ObjectKind::System, |actor| actor.kind),
        created_by_id: made_by.map(|actor| actor.uuid).filter(|uuid| !uuid.is_nil()),
        created_at: now,
        updated_at: now,
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

/// A user with their account, by e-mail address.
pub async fn user_with_account(db: &impl ConnectionTrait, email: &str) -> Result<Option<UserRow>> {
    match user_by_email(db, email).await? {
        Some(user) => user_by_id(db, user.id).await,
        None => Ok(None),
    }
}

pub async fn user_by_id(db: &impl ConnectionTrait, id: UserId) -> Result<Option<UserRow>> {
    Ok(behind_rows(db, &[id.into()]).await?.pop().and_then(Owner::into_user))
}

pub async fn user_by_handle(db: &impl ConnectionTrait, handle: &str) -> Result<Option<user::Model>> {
    Ok(rows::before_permission::<user::Entity>().filter(user::Column::Handle.eq(handle)).one(db).await?)
}

/// The roles that a user has, directly and through groups.
pub async fn roles_of(db: &impl ConnectionTrait, account: AccountId) -> Result<Vec<RoleId>> {
    let held = rows::before_permission::<account_role::Entity>()
        .filter(account_role::Column::AccountId.eq(account))
        .all(db)
        .await?;
    let held: BTreeSet<RoleId> = held.into_iter().map(|row| row.role_id).collect();
    Ok(held.into_iter().collect())
}

/// Holds an account until the transaction ends.
pub async fn lock(db: &impl ConnectionTrait, id: AccountId) -> Result<()> {
    let account = rows::before_permission::<account::Entity>().filter(account::Column::Id.eq(id));
    account.lock_exclusive().one(db).await?;
    Ok(())
}

/// Writes what an account has beside its kind and its maker.
pub async fn replace(db: &impl ConnectionTrait, account: &account::Model) -> Result<()> {
    use account::Column;
    rows::change_shared::<account::Entity>()
        .filter(Column::Id.eq(account.id))
        .col_expr(Column::Active, Expr::val(account.active))
        .col_expr(Column::Generation, Expr::val(account.generation))
        .col_expr(Column::Version, Expr::val(account.version))
        .col_expr(Column::UpdatedAt, Expr::val(account.updated_at))
        .exec(db)
        .await?;
    Ok(())
}

pub async fn replace_user(db: &impl ConnectionTrait, user: &user::Model) -> Result<()> {
    use user::Column;
    rows::change_shared::<user::Entity>()
        .filter(Column::Id.eq(user.id))
        .col_expr(Column::Email, Expr::val(user.email.clone()))
        .col_expr(Column::Handle, Expr::val(user.handle.clone()))
        .col_expr(Column::DisplayName, Expr::val(user.display_name.clone()))
        .col_expr(Column::PasswordHash, Expr::val(user.password_hash.clone()))
        .exec(db)
        .await?;
    search::put(db, user.id.into(), &search::of_user(user)).await
}

pub async fn replace_service_account(db: &impl ConnectionTrait, row: &service_account::Model) -> Result<()> {
    use service_account::Column;
    rows::change_shared::<service_account::Entity>()
        .filter(Column::Id.eq(row.id))
        .col_expr(Column::Name, Expr::val(row.name.clone()))
        .col_expr(Column::Description, Expr::val(row.description.clone()))
        .exec(db)
        .await?;
    search::put(db, row.id.into(), &[&row.name]).await
}

pub async fn delete_service_account(db: &impl ConnectionTrait, id: ServiceAccountId) -> Result<()> {
    rows::remove::<service_account::Entity>().filter(service_account::Column::Id.eq(id)).exec(db).await?;
    rows::remove::<account::Entity>().filter(account::Column::Id.eq(AccountId(id.0))).exec(db).await?;
    search::put(db, id.into(), &[]).await
}

pub async fn service_account_by_name(
    db: &impl ConnectionTrait,
    name: &str,
) -> Result<Option<service_account::Model>> {
    let found =
        rows::before_permission::<service_account::Entity>().filter(service_account::Column::Name.eq(name));
    Ok(found.one(db).await?)
}

/// Whether anybody who is active holds everything, directly or through a group.
pub async fn has_active_administrator(db: &impl ConnectionTrait) -> Result<bool> {
    let holders = Query::select()
        .column(account_role::Column::AccountId)
        .from(account_role::Entity)
        .and_where(account_role::Column::RoleId.in_subquery(roles_with_everything()))
        .take();
    let administrators = rows::before_permission::<account::Entity>()
        .filter(account::Column::Active.eq(true))
        .filter(account::Column::Id.in_subquery(holders));
    Ok(administrators.one(db).await?.is_some())
}

/// The same, if the `stripped` groups did not have such a role and the `raised` ones had one.
pub async fn would_have_active_administrator(
    db: &impl ConnectionTrait,
    stripped: &[GroupId],
    raised: &[GroupId],
) -> Result<bool> {
    let groups = Query::select()
        .column(group_role::Column::GroupId)
        .from(group_role::Entity)
        .and_where(group_role::Column::RoleId.in_subquery(roles_with_everything()))
        .and_where(group_role::Column::GroupId.is_not_in(stripped.iter().copied()))
        .take();
    let members = Query::select()
        .column(group_member::Column::UserId)
        .from(group_member::Entity)
        .cond_where(
            Condition::any()
                .add(group_member::Column::GroupId.in_subquery(groups))
                .add(group_member::Column::GroupId.is_in(raised.iter().copied())),
        )
        .take();
    let users = Query::select()
        .column(user_role::Column::UserId)
        .from(user_role::Entity)
        .and_where(user_role::Column::RoleId.in_subquery(roles_with_everything()))
        .take();
    let holders = Condition::any()
        .add(account::Column::Id.in_subquery(members))
        .add(account::Column::Id.in_subquery(users));
    let active = rows::before_permission::<account::Entity>().filter(account::Column::Active.eq(true));
    Ok(active.filter(holders).one(db).await?.is_some())
}

/// Whether a user holds everything, now and in future, directly or through a group.
pub async fn holds_everything(db: &impl ConnectionTrait, account: AccountId) -> Result<bool> {
    let held = rows::before_permission::<account_role::Entity>()
        .filter(account_role::Column::AccountId.eq(account))
        .filter(account_role::Column::RoleId.in_subquery(roles_with_everything()));
    Ok(held.one(db).await?.is_some())
}

/// The roles that grant everything, now and in future, as a sub-select.
fn roles_with_everything() -> SelectStatement {
    Query::select()
        .column(role::Column::Id)
        .from(role::Entity)
        .and_where(role::Column::AllScopes.eq(true))
        .take()
}

/// The scopes that users hold now, through roles and groups, by name. Service accounts hold none by themselves.
pub async fn scopes_of(
    db: &impl ConnectionTrait,
    accounts: &[AccountId],
) -> Result<HashMap<AccountId, Vec<scope::Model>>> {
    let held = rows::before_permission::<account_scope::Entity>()
        .filter(account_scope::Column::AccountId.is_in(accounts.iter().copied()))
        .all(db)
        .await?;
    let wanted = held.iter().map(|row| row.scope_id).collect::<HashSet<_>>();
    let scopes = rows::shared::<scope::Entity>().filter(scope::Column::Id.is_in(wanted)).all(db).await?;
    let scopes: HashMap<ScopeId, scope::Model> = scopes.into_iter().map(|scope| (scope.id, scope)).collect();
    let mut by_account: HashMap<AccountId, BTreeMap<String, scope::Model>> = HashMap::new();
    for row in held {
        if let Some(scope) = scopes.get(&row.scope_id) {
            by_account.entry(row.account_id).or_default().insert(scope.name.clone(), scope.clone());
        }
    }
    Ok(by_account.into_iter().map(|(id, scopes)| (id, scopes.into_values().collect())).collect())
}

pub async fn add_user(db: &impl ConnectionTrait, account: account::Model, user: user::Model) -> Result<()> {
    rows::add(db, account).await?;
    rows::add(db, user.clone()).await?;
    search::put_new(db, user.id.into(), &search::of_user(&user)).await
}

pub async fn add_service_account(
    db: &impl ConnectionTrait,
    account: account::Model,
    service_account: service_account::Model,
) -> Result<()> {
    rows::add(db, account).await?;
    rows::add(db, service_account.clone()).await?;
    search::put_new(db, service_account.id.into(), &[&service_account.name]).await
}
