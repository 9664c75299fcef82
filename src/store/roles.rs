//! Roles and what they grant.

use std::collections::HashMap;

use entity::{GlobalId, RoleId, ScopeId, role, role_grant, role_scope, scope, user_role};
use entity::{UserId, role::Column};
use sea_orm::sea_query::{Expr, ExprTrait as _, Func, LikeExpr, Query, SelectStatement};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, PaginatorTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _,
};

use super::page::{self, ForeignCursor, Page, PageRequest, Sort};
use super::{Reached, rows};
use crate::access::Reach;
use crate::error::Result;

/// Of those that stand in the way of something, this many are named.
pub(super) const SOME: u64 = 100;

/// The roles whose name contains `search`, by name.
pub async fn list(
    db: &impl ConnectionTrait,
    _reach: &Reach,
    search: Option<&str>,
    request: &PageRequest,
) -> Result<Result<Page<Reached<role::Model>>, ForeignCursor>> {
    let select = rows::shared::<role::Entity>().filter(contains(Column::Name, search));
    page::fetch(
        db,
        select,
        Sort { order: 16, column: Some(Column::Name), id: Column::Id, descending: false },
        request,
    )
    .await
}

pub async fn count(db: &impl ConnectionTrait, _reach: &Reach, search: Option<&str>) -> Result<u64> {
    Ok(rows::shared::<role::Entity>().filter(contains(Column::Name, search)).count(db).await?)
}

/// Those of these roles that exist, by name.
pub async fn find_many(db: &impl ConnectionTrait, ids: &[RoleId]) -> Result<Vec<role::Model>> {
    let roles = rows::shared::<role::Entity>().filter(Column::Id.is_in(ids.iter().copied()));
    Ok(roles.order_by_asc(Column::Name).all(db).await?)
}

pub async fn find_by_name(db: &impl ConnectionTrait, name: &str) -> Result<Option<role::Model>> {
    Ok(rows::shared::<role::Entity>().filter(Column::Name.eq(name)).one(db).await?)
}

/// The scopes that each role grants now, by name.
pub async fn scopes_of(
    db: &impl ConnectionTrait,
    roles: &[RoleId],
) -> Result<HashMap<RoleId, Vec<scope::Model>>> {
    let grants = rows::shared::<role_grant::Entity>()
        .filter(role_grant::Column::RoleId.is_in(roles.iter().copied()))
        .all(db)
        .await?;
    let scopes = rows::shared::<scope::Entity>()
        .filter(scope::Column::Id.is_in(grants.iter().map(|grant| grant.scope_id)))
        .all(db)
        .await?;
    let scopes: HashMap<ScopeId, scope::Model> = scopes.into_iter().map(|scope| (scope.id, scope)).collect();
    let mut by_role: HashMap<RoleId, Vec<scope::Model>> = HashMap::new();
    for grant in grants {
        by_role.entry(grant.role_id).or_default().extend(scopes.get(&grant.scope_id).cloned());
    }
    for group in by_role.values_mut() {
        group.sort_by(|one, other| one.name.cmp(&other.name));
    }
    Ok(by_role)
}

pub async fn add(db: &impl ConnectionTrait, role: role::Model) -> Result<()> {
    Ok(rows::add(db, role).await?)
}

pub async fn replace(db: &impl ConnectionTrait, role: &role::Model) -> Result<()> {
    rows::change_shared::<role::Entity>()
        .filter(Column::Id.eq(role.id))
        .col_expr(Column::Name, Expr::val(role.name.clone()))
        .col_expr(Column::Description, Expr::val(role.description.clone()))
        .col_expr(Column::Version, Expr::val(role.version))
        .col_expr(Column::UpdatedAt, Expr::val(role.updated_at))
        .exec(db)
        .await?;
    Ok(())
}

/// Makes these the scopes that a role grants.
pub async fn set_scopes(db: &impl ConnectionTrait, role: RoleId, scopes: &[ScopeId]) -> Result<()> {
    rows::remove::<role_scope::Entity>().filter(role_scope::Column::RoleId.eq(role)).exec(db).await?;
    rows::add_all(db, scopes.iter().map(|scope| role_scope::Model { role_id: role, scope_id: *scope })).await
}

/// Deletes a role that nobody has but deleted keys.
pub async fn delete(db: &impl ConnectionTrait, role: RoleId) -> Result<()> {
    use entity::key_role;
    set_scopes(db, role, &[]).await?;
    rows::remove::<key_role::Entity>().filter(key_role::Column::RoleId.eq(role)).exec(db).await?;
    rows::remove::<role::Entity>().filter(Column::Id.eq(role)).exec(db).await?;
    Ok(())
}

/// Who has a role directly: users, groups and keys that are not deleted; at most 100 in all.
pub async fn holders(db: &impl ConnectionTrait, role: RoleId) -> Result<Vec<GlobalId>> {
    use entity::{group_role, key_role};
    let users = rows::shared::<user_role::Entity>().filter(user_role::Column::RoleId.eq(role));
    let groups = rows::shared::<group_role::Entity>().filter(group_role::Column::RoleId.eq(role));
    let keys = rows::shared::<key_role::Entity>()
        .filter(key_role::Column::RoleId.eq(role))
        .filter(key_role::Column::KeyId.in_subquery(existing_keys()));
    let mut holders: Vec<GlobalId> =
        users.limit(SOME).all(db).await?.into_iter().map(|row| row.user_id.into()).collect();
    holders.extend(groups.limit(SOME).all(db).await?.into_iter().map(|row| GlobalId::from(row.group_id)));
    holders.extend(keys.limit(SOME).all(db).await?.into_iter().map(|row| GlobalId::from(row.key_id)));
    holders.truncate(usize::try_from(SOME).unwrap_or(usize::MAX));
    Ok(holders)
}

/// The keys that are not deleted.
pub(super) fn existing_keys() -> SelectStatement {
    use entity::api_key::{Column, Entity};
    Query::select().column(Column::Id).from(Entity).and_where(Column::DeletedAt.is_null()).take()
}

/// Adds a built-in role, or brings an older one up to date.
pub async fn put_built_in(db: &impl ConnectionTrait, role: role::Model, scopes: &[ScopeId]) -> Result<()> {
    let id = match find_by_name(db, &role.name).await? {
        Some(found) => found.id,
        None => {
            rows::add(db, role.clone()).await?;
            role.id
        }
    };
    let held = rows::shared::<role_scope::Entity>().filter(role_scope::Column::RoleId.eq(id)).all(db).await?;
    let missing = scopes.iter().filter(|scope| !held.iter().any(|held| held.scope_id == **scope));
    rows::add_all(db, missing.map(|scope| role_scope::Model { role_id: id, scope_id: *scope })).await
}

/// Makes these the roles that a user holds directly.
pub async fn set_of_user(db: &impl ConnectionTrait, user: UserId, roles: &[RoleId]) -> Result<()> {
    rows::remove::<user_role::Entity>().filter(user_role::Column::UserId.eq(user)).exec(db).await?;
    rows::add_all(db, roles.iter().map(|role| user_role::Model { user_id: user, role_id: *role })).await
}

/// The roles that each user holds directly, by name.
pub async fn of_users(
    db: &impl ConnectionTrait,
    users: &[UserId],
) -> Result<HashMap<UserId, Vec<role::Model>>> {
    let links = rows::shared::<user_role::Entity>()
        .filter(user_role::Column::UserId.is_in(users.iter().copied()))
        .all(db)
        .await?;
    let roles = rows::shared::<role::Entity>()
        .filter(Column::Id.is_in(links.iter().map(|link| link.role_id)))
        .order_by_asc(Column::Name)
        .all(db)
        .await?;
    let mut by_user: HashMap<UserId, Vec<role::Model>> = HashMap::new();
    for role in roles {
        for link in links.iter().filter(|link| link.role_id == role.id) {
            by_user.entry(link.user_id).or_default().push(role.clone());
        }
    }
    Ok(by_user)
}

/// A condition that is always true without a search; letters count alike in both cases.
pub(super) fn contains(column: impl sea_orm::ColumnTrait, search: Option<&str>) -> sea_orm::Condition {
    let condition = sea_orm::Condition::all();
    let Some(search) = search.map(str::trim).filter(|search| !search.is_empty()) else {
        return condition;
    };
    // No name has it, and PostgreSQL fails on it.
    if search.contains('\0') {
        return condition.add(Expr::val(1).eq(0));
    }
    let like = |text: &str| LikeExpr::new(pattern(text)).escape('\\');
    let folded = Expr::expr(Func::lower(Expr::col(column))).like(like(&search.to_lowercase()));
    // The databases fold the letters of ASCII alone: others are found as they were typed.
    condition.add(folded.or(Expr::col(column).like(like(search))))
}

/// Anything that contains the text.
fn pattern(text: &str) -> String {
    let mut pattern = String::from("%");
    for letter in text.chars() {
        if matches!(letter, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(letter);
    }
    pattern.push('%');
    pattern
}
