//! API keys: found, made and changed within a [`Reach`]. Their lists are in `key_filter.rs`.

use std::collections::{HashMap, HashSet};

use entity::api_key::{self, Column, KeyState};
use entity::{
    AccountId, KeyId, RoleId, ScopeId, Timestamp, account_role, effective_scope, key_grant, key_role,
    key_scope, role, scope,
};
use sea_orm::sea_query::{Condition, Expr, ExprTrait as _, Query};
use sea_orm::{
    ActiveEnum as _, ColumnTrait as _, ConnectionTrait, DbErr, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, SqlErr, UpdateMany,
};

use super::{Reached, rows, search};
use crate::access::{Reach, Scopes};
use crate::error::{Error, Result};

pub use super::key_filter::{KeyFilter, KeyOrder, KeyStatus, MAX_SCOPES, count, list, status};

/// The most ids of scopes in one condition.
const MAX_CONDITION: usize = 1_000;

/// A key within reach.
pub type Key = Reached<api_key::Model>;

/// The keys with these ids that are within reach, deleted ones too.
pub async fn find_many(db: &impl ConnectionTrait, reach: &Reach, ids: &[KeyId]) -> Result<Vec<Key>> {
    let keys = rows::keys(reach).filter(Column::Id.is_in(ids.iter().copied())).all(db).await?;
    Ok(keys.into_iter().map(Reached::new).collect())
}

/// The same, held until the transaction ends: whoever changes them at the same time waits. In one order, so that nobody
/// waits in a circle.
pub async fn lock_many(db: &impl ConnectionTrait, reach: &Reach, ids: &[KeyId]) -> Result<Vec<Key>> {
    let keys = rows::keys(reach)
        .filter(Column::Id.is_in(ids.iter().copied()))
        .order_by_asc(Column::Id)
        .lock_exclusive()
        .all(db)
        .await?;
    Ok(keys.into_iter().map(Reached::new).collect())
}

pub async fn find(db: &impl ConnectionTrait, reach: &Reach, id: KeyId) -> Result<Option<Key>> {
    Ok(rows::keys(reach).filter(Column::Id.eq(id)).one(db).await?.map(Reached::new))
}

/// A key that was in reach, as it is now.
pub async fn reread(db: &impl ConnectionTrait, key: &Key) -> Result<Key> {
    let fresh = reread_many(db, std::slice::from_ref(key)).await?.pop();
    fresh.ok_or_else(|| Error::internal("a key vanished inside its transaction"))
}

/// Keys that were in reach, as they are now, in their order.
pub async fn reread_many(db: &impl ConnectionTrait, keys: &[Key]) -> Result<Vec<Key>> {
    let ids = keys.iter().map(|key| key.id);
    let fresh = rows::before_permission::<api_key::Entity>().filter(Column::Id.is_in(ids)).all(db).await?;
    let mut fresh: HashMap<KeyId, api_key::Model> = fresh.into_iter().map(|key| (key.id, key)).collect();
    Ok(keys.iter().filter_map(|key| fresh.remove(&key.id).map(Reached::new)).collect())
}

pub async fn find_by_client_id(
    db: &impl ConnectionTrait,
    reach: &Reach,
    client_id: &str,
) -> Result<Option<Key>> {
    Ok(rows::keys(reach).filter(Column::ClientId.eq(client_id)).one(db).await?.map(Reached::new))
}

/// The key that has this name among those of its owner, whoever asks.
pub async fn find_by_name(db: &impl ConnectionTrait, owner: AccountId, name: &str) -> Result<Option<KeyId>> {
    let key = rows::keys_of(owner)
        .filter(Column::Name.eq(name))
        .filter(Column::DeletedAt.is_null())
        .one(db)
        .await?;
    Ok(key.map(|key| key.id))
}

/// Another key of the same owner has the name.
#[derive(Clone, Copy, Debug)]
pub struct NameTaken;

/// Adds a key. The reach is the proof that its maker may.
pub async fn add(
    db: &impl ConnectionTrait,
    _reach: &Reach,
    key: api_key::Model,
) -> Result<Result<Key, NameTaken>> {
    let Ok(()) = named(rows::add(db, key.clone()).await)? else { return Ok(Err(NameTaken)) };
    search::put_new(db, key.id.into(), &[&key.name]).await?;
    Ok(Ok(Reached::new(key)))
}

/// The unique index on owner and name has the last word, whatever was looked up before.
fn named<T>(result: Result<T, DbErr>) -> Result<Result<T, NameTaken>> {
    match result {
        Err(error) if matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_))) => {
            Ok(Err(NameTaken))
        }
        result => Ok(Ok(result?)),
    }
}

/// Writes the new properties of a key; false if somebody else has changed it since it was read.
pub async fn replace(
    db: &impl ConnectionTrait,
    reach: &Reach,
    before: &Key,
    after: &api_key::Model,
) -> Result<Result<bool, NameTaken>> {
    let update = rows::change_keys(reach)
        .filter(Column::Id.eq(before.id))
        .filter(Column::Version.eq(before.version))
        .col_expr(Column::Name, Expr::val(after.name.clone()))
        .col_expr(Column::Description, Expr::val(after.description.clone()))
        .col_expr(Column::ReadOnly, Expr::val(after.read_only))
        .col_expr(Column::InheritsOwner, Expr::val(after.inherits_owner))
        .col_expr(Column::AllowedNetworks, Expr::val(after.allowed_networks.clone()))
        .col_expr(Column::ExpiresAt, Expr::val(after.expires_at))
        .col_expr(Column::TokenLifetimeSeconds, Expr::val(after.token_lifetime_seconds))
        .col_expr(Column::TokenLimitRequests, Expr::val(after.token_limit_requests))
        .col_expr(Column::TokenLimitSeconds, Expr::val(after.token_limit_seconds))
        .col_expr(Column::CallLimitRequests, Expr::val(after.call_limit_requests))
        .col_expr(Column::CallLimitSeconds, Expr::val(after.call_limit_seconds))
        .col_expr(Column::Version, Expr::val(after.version))
        .col_expr(Column::UpdatedAt, Expr::val(after.updated_at));
    let Ok(result) = named(update.exec(db).await)? else { return Ok(Err(NameTaken)) };
    let changed = result.rows_affected == 1;
    if changed && before.name != after.name {
        search::put(db, before.id.into(), &[&after.name]).await?;
    }
    Ok(Ok(changed))
}

/// What becomes of the tokens that were issued to a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tokens {
    LiveOn,
    End,
}

/// Puts keys into a state in one statement. Out of any state but enabled no token survives.
pub async fn set_state(
    db: &impl ConnectionTrait,
    reach: &Reach,
    keys: &[KeyId],
    (state, now): (KeyState, Timestamp),
) -> Result<()> {
    let tokens = if state == KeyState::Enabled { Tokens::LiveOn } else { Tokens::End };
    let mut update = changed(reach, keys, (tokens, now)).col_expr(Column::State, Expr::val(state.to_value()));
    if state == KeyState::Deleted {
        update = update.col_expr(Column::DeletedAt, Expr::val(now));
    }
    update.exec(db).await?;
    Ok(())
}

/// Notes that the secrets of keys have changed.
pub async fn secrets_changed(
    db: &impl ConnectionTrait,
    reach: &Reach,
    keys: &[KeyId],
    (tokens, now): (Tokens, Timestamp),
) -> Result<()> {
    changed(reach, keys, (tokens, now)).exec(db).await?;
    Ok(())
}

/// What every change of these keys writes.
fn changed(reach: &Reach, keys: &[KeyId], (tokens, now): (Tokens, Timestamp)) -> UpdateMany<api_key::Entity> {
    let raise = i64::from(tokens == Tokens::End);
    rows::change_keys(reach)
        .filter(Column::Id.is_in(keys.iter().copied()))
        .col_expr(Column::Version, Expr::col(Column::Version).add(1))
        .col_expr(Column::Generation, Expr::col(Column::Generation).add(raise))
        .col_expr(Column::UpdatedAt, Expr::val(now))
}

pub async fn set_roles(db: &impl ConnectionTrait, key: KeyId, roles: &[RoleId]) -> Result<()> {
    rows::remove::<key_role::Entity>().filter(key_role::Column::KeyId.eq(key)).exec(db).await?;
    rows::add_all(db, roles.iter().map(|role| key_role::Model { key_id: key, role_id: *role })).await
}

pub async fn set_scopes(db: &impl ConnectionTrait, key: KeyId, scopes: &[ScopeId]) -> Result<()> {
    rows::remove::<key_scope::Entity>().filter(key_scope::Column::KeyId.eq(key)).exec(db).await?;
    rows::add_all(db, scopes.iter().map(|scope| key_scope::Model { key_id: key, scope_id: *scope })).await
}

/// The roles of each key, by name.
pub async fn roles_of(db: &impl ConnectionTrait, keys: &[&Key]) -> Result<HashMap<KeyId, Vec<role::Model>>> {
    let links =
        rows::shared::<key_role::Entity>().filter(key_role::Column::KeyId.is_in(ids(keys))).all(db).await?;
    let roles = rows::shared::<role::Entity>()
        .filter(role::Column::Id.is_in(links.iter().map(|link| link.role_id)))
        .all(db)
        .await?;
    let roles: HashMap<RoleId, role::Model> = roles.into_iter().map(|role| (role.id, role)).collect();
    let pairs = links.into_iter().filter_map(|link| Some((link.key_id, roles.get(&link.role_id)?.clone())));
    Ok(grouped(pairs, |role| role.name.clone()))
}

/// The scopes given to each key directly, by name.
pub async fn scopes_of(
    db: &impl ConnectionTrait,
    keys: &[&Key],
) -> Result<HashMap<KeyId, Vec<scope::Model>>> {
    let links =
        rows::shared::<key_scope::Entity>().filter(key_scope::Column::KeyId.is_in(ids(keys))).all(db).await?;
    scopes_by_key(db, links.into_iter().map(|link| (link.key_id, link.scope_id)).collect()).await
}

/// What an exchange of each key can grant now, by name.
pub async fn effective_scopes_of(
    db: &impl ConnectionTrait,
    keys: &[&Key],
) -> Result<HashMap<KeyId, Vec<scope::Model>>> {
    let links = rows::shared::<effective_scope::Entity>()
        .filter(effective_scope::Column::KeyId.is_in(ids(keys)))
        .all(db)
        .await?;
    scopes_by_key(db, links.into_iter().map(|link| (link.key_id, link.scope_id)).collect()).await
}

/// What each key was given, of the scopes that matter: how strong its secret is.
pub async fn strength_of(
    db: &impl ConnectionTrait,
    keys: &[&Key],
    matters: impl Fn(&str) -> bool,
) -> Result<HashMap<KeyId, Scopes>> {
    let scopes = rows::shared::<scope::Entity>().all(db).await?;
    let count = scopes.len();
    let matter = scopes.into_iter().filter(|scope| matters(&scope.name));
    let matter: HashMap<ScopeId, String> = matter.map(|scope| (scope.id, scope.name)).collect();
    if matter.is_empty() {
        return Ok(HashMap::new());
    }
    // Each scope of each key is looked for by itself. It is one condition more, if not too long.
    let few = matter.len() < count && matter.len() <= MAX_CONDITION;
    let few = few.then(|| key_grant::Column::ScopeId.is_in(matter.keys().copied()));
    let of_these = Condition::all().add(key_grant::Column::KeyId.is_in(ids(keys))).add_option(few);
    let grants = rows::shared::<key_grant::Entity>().filter(of_these).all(db).await?;
    let mut strengths: HashMap<KeyId, Vec<String>> = HashMap::new();
    for grant in grants {
        strengths.entry(grant.key_id).or_default().extend(matter.get(&grant.scope_id).cloned());
    }
    Ok(strengths.into_iter().map(|(key, scopes)| (key, scopes.into_iter().collect())).collect())
}

async fn scopes_by_key(
    db: &impl ConnectionTrait,
    links: Vec<(KeyId, ScopeId)>,
) -> Result<HashMap<KeyId, Vec<scope::Model>>> {
    let mut wanted: Vec<ScopeId> = links.iter().map(|(_, scope)| *scope).collect();
    wanted.sort_unstable();
    wanted.dedup();
    let scopes = rows::shared::<scope::Entity>().filter(scope::Column::Id.is_in(wanted)).all(db).await?;
    let scopes: HashMap<ScopeId, scope::Model> = scopes.into_iter().map(|scope| (scope.id, scope)).collect();
    let pairs = links.into_iter().filter_map(|(key, scope)| Some((key, scopes.get(&scope)?.clone())));
    Ok(grouped(pairs, |scope| scope.name.clone()))
}

fn ids(keys: &[&Key]) -> Vec<KeyId> {
    keys.iter().map(|key| key.id).collect()
}

fn grouped<K, V, S>(pairs: impl IntoIterator<Item = (K, V)>, order: impl Fn(&V) -> S) -> HashMap<K, Vec<V>>
where
    K: std::hash::Hash + Eq,
    S: Ord,
{
    let mut groups: HashMap<K, Vec<V>> = HashMap::new();
    for (key, value) in pairs {
        groups.entry(key).or_default().push(value);
    }
    for group in groups.values_mut() {
        group.sort_by_key(&order);
    }
    groups
}

/// Those of these keys that were given everything, now and in future: by a role, or by inheriting from somebody who holds
/// such a role.
pub async fn granting_everything(db: &impl ConnectionTrait, keys: &[KeyId]) -> Result<HashSet<KeyId>> {
    let all = rows::shared::<role::Entity>().filter(role::Column::AllScopes.eq(true)).all(db).await?;
    let all = || all.iter().map(|role| role.id);
    let links = rows::shared::<key_role::Entity>()
        .filter(key_role::Column::KeyId.is_in(keys.iter().copied()))
        .filter(key_role::Column::RoleId.is_in(all()));
    let mut found: HashSet<KeyId> = links.all(db).await?.into_iter().map(|link| link.key_id).collect();
    let holders = Query::select()
        .column(account_role::Column::AccountId)
        .from(account_role::Entity)
        .and_where(account_role::Column::RoleId.is_in(all()))
        .take();
    let inheriting = rows::before_permission::<api_key::Entity>()
        .filter(Column::Id.is_in(keys.iter().copied()))
        .filter(Column::InheritsOwner.eq(true))
        .filter(Column::OwnerId.in_subquery(holders));
    found.extend(inheriting.all(db).await?.into_iter().map(|key| key.id));
    Ok(found)
}
