//! The only file that may start a query. On owned rows each begins with a [`Reach`]: rows out of reach do not exist.

#![expect(clippy::disallowed_methods, reason = "this is the one place where queries start")]

use std::ops::Deref;

use entity::{
    AccountId, ServiceAccountId, UserId, account, activity, api_key, key_grant, scope, service_account, user,
};
use sea_orm::sea_query::{Condition, Expr, ExprTrait as _, OnConflict, Query, SelectStatement};
use sea_orm::{
    ActiveModelBehavior, ActiveModelTrait, ColumnTrait as _, ConnectionTrait, EntityTrait, Insert,
    IntoActiveModel, QueryFilter as _, Select, UpdateMany,
};

use crate::access::{Reach, Rows, Scopes};
use crate::error::Result;

/// A row that was in reach of whoever asked for it: proof enough to read what hangs on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reached<M>(M);

impl<M> Reached<M> {
    pub(super) fn new(row: M) -> Self {
        Self(row)
    }

    pub fn into_row(self) -> M {
        self.0
    }
}

impl<M> Deref for Reached<M> {
    type Target = M;

    fn deref(&self) -> &M {
        &self.0
    }
}

/// The keys within reach.
pub(super) fn keys(reach: &Reach) -> Select<api_key::Entity> {
    api_key::Entity::find().filter(keys_within(reach))
}

/// A change of the keys within reach; of none, if the reach is for reading.
pub(super) fn change_keys(reach: &Reach) -> UpdateMany<api_key::Entity> {
    let changes = if reach.action().changes() { Condition::all() } else { nothing() };
    api_key::Entity::update_many().filter(keys_within(reach)).filter(changes)
}

/// The activity within reach.
pub(super) fn activity(reach: &Reach) -> Select<activity::Entity> {
    let rows = match reach.rows() {
        Rows::All => Condition::all(),
        Rows::Own(own) => Condition::all().add(activity::Column::OwnerId.eq(own.account)),
    };
    activity::Entity::find().filter(rows)
}

/// The accounts within reach.
pub(super) fn accounts(reach: &Reach) -> Select<account::Entity> {
    let rows = match reach.rows() {
        Rows::All => Condition::all(),
        Rows::Own(own) => Condition::all().add(account::Column::Id.eq(own.account)),
    };
    account::Entity::find().filter(rows)
}

/// The users within reach.
pub(super) fn users(reach: &Reach) -> Select<user::Entity> {
    let rows = match reach.rows() {
        Rows::All => Condition::all(),
        Rows::Own(own) => Condition::all().add(user::Column::Id.eq(UserId(own.account.0))),
    };
    user::Entity::find().filter(rows)
}

/// The service accounts within reach.
pub(super) fn service_accounts(reach: &Reach) -> Select<service_account::Entity> {
    let rows = match reach.rows() {
        Rows::All => Condition::all(),
        Rows::Own(own) => {
            Condition::all().add(service_account::Column::Id.eq(ServiceAccountId(own.account.0)))
        }
    };
    service_account::Entity::find().filter(rows)
}

/// Rows that belong to nobody: roles, scopes, links, the server's own keys. Not for keys, accounts and activity.
pub(super) fn shared<E: EntityTrait>() -> Select<E> {
    E::find()
}

/// The look-ups that come before a caller is known; for `store/credentials.rs` and the names of owners and actors.
pub(super) fn before_permission<E: EntityTrait>() -> Select<E> {
    E::find()
}

/// Changes rows that belong to nobody.
pub(super) fn change_shared<E: EntityTrait>() -> UpdateMany<E> {
    E::update_many()
}

/// Removes rows that hang on others, or have had their time.
pub(super) fn remove<E: EntityTrait>() -> sea_orm::DeleteMany<E> {
    E::delete_many()
}

/// Adds a row.
pub(super) async fn add<M, A>(db: &impl ConnectionTrait, row: M) -> Result<(), sea_orm::DbErr>
where
    M: IntoActiveModel<A>,
    A: ActiveModelTrait + ActiveModelBehavior + Send,
    <A::Entity as EntityTrait>::Model: IntoActiveModel<A>,
{
    Insert::one(row.into_active_model()).exec_without_returning(db).await.map(|_| ())
}

/// Adds a row unless another stands in its place; says whether it did.
pub(super) async fn add_unless_there<M, A>(
    db: &impl ConnectionTrait,
    row: M,
    otherwise: OnConflict,
) -> Result<bool>
where
    M: IntoActiveModel<A>,
    A: ActiveModelTrait + ActiveModelBehavior + Send,
    <A::Entity as EntityTrait>::Model: IntoActiveModel<A>,
{
    let added = Insert::one(row.into_active_model()).on_conflict(otherwise).exec_without_returning(db).await;
    match added {
        Ok(rows) => Ok(rows > 0),
        Err(sea_orm::DbErr::RecordNotInserted) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Adds rows, if there are any.
pub(super) async fn add_all<M, A>(db: &impl ConnectionTrait, rows: impl IntoIterator<Item = M>) -> Result<()>
where
    M: IntoActiveModel<A>,
    A: ActiveModelTrait + ActiveModelBehavior + Send,
    <A::Entity as EntityTrait>::Model: IntoActiveModel<A>,
{
    let rows: Vec<A> = rows.into_iter().map(IntoActiveModel::into_active_model).collect();
    if !rows.is_empty() {
        Insert::many(rows).exec_without_returning(db).await?;
    }
    Ok(())
}

fn keys_within(reach: &Reach) -> Condition {
    match reach.rows() {
        Rows::All => Condition::all(),
        Rows::Own(own) => {
            let weaker = own.through.as_ref().map(|through| {
                let itself = (!reach.action().changes()).then(|| api_key::Column::Id.eq(through.key));
                Condition::any()
                    .add(Expr::exists(grants_beyond(&through.no_stronger_than)).not())
                    .add_option(itself)
            });
            Condition::all().add(api_key::Column::OwnerId.eq(own.account)).add_option(weaker)
        }
    }
}

/// Something that the key at hand was given and that is not among `scopes`.
fn grants_beyond(scopes: &Scopes) -> SelectStatement {
    Query::select()
        .expr(Expr::val(1))
        .from(key_grant::Entity)
        .inner_join(
            scope::Entity,
            Expr::col((scope::Entity, scope::Column::Id))
                .equals((key_grant::Entity, key_grant::Column::ScopeId)),
        )
        .and_where(
            Expr::col((key_grant::Entity, key_grant::Column::KeyId))
                .equals((api_key::Entity, api_key::Column::Id)),
        )
        .and_where(scope::Column::Name.is_not_in(scopes.iter()))
        .take()
}

/// Whether the owner of the key at hand is not active. As a value, which PostgreSQL looks up key by key: of an EXISTS
/// beside an OR it would read all accounts first, for a page of fifty keys too.
pub(super) fn owner_is_inactive() -> Expr {
    let inactive = owner().expr(Expr::col((account::Entity, account::Column::Active)).not()).take();
    Expr::SubQuery(None, Box::new(inactive.into()))
}

/// That the owner of the key at hand is of this kind.
pub(super) fn owner_of_kind(kind: account::AccountKind) -> SelectStatement {
    owner().expr(Expr::val(1)).and_where(account::Column::Kind.eq(kind)).take()
}

fn owner() -> SelectStatement {
    Query::select()
        .from(account::Entity)
        .and_where(
            Expr::col((account::Entity, account::Column::Id))
                .equals((api_key::Entity, api_key::Column::OwnerId)),
        )
        .take()
}

/// Keys of one account, whoever asks: for rules about names.
pub(super) fn keys_of(owner: AccountId) -> Select<api_key::Entity> {
    api_key::Entity::find().filter(api_key::Column::OwnerId.eq(owner))
}

fn nothing() -> Condition {
    Condition::all().add(Expr::val(1).eq(0))
}
