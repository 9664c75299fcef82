//! Roles and what they grant.

use std::collections::HashMap;

use entity::{RoleId, ScopeId, role, role_grant, role_scope, scope, user_role};
use entity::{UserId, role::Column};
use sea_orm::sea_query::{Expr, ExprTrait as _, Func, LikeExpr};
use sea_orm::{ColumnTrait as _, ConnectionTrait, PaginatorTrait as _, QueryFilter as _};

use super::page::{self, ForeignCursor, Page, PageRequest, Sort};
use super::{Reached, rows};
use crate::access::Reach;
use crate::error::Result;

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

/// Those of these roles that exist.
pub async fn find_many(db: &impl ConnectionTrait, ids: &[RoleId]) -> Result<Vec<role::Model>> {
    Ok(rows::shared::<role::Entity>().filter(Column::Id.is_in(ids.iter().copied())).all(db).await?)
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

pub async fn give_to_user(db: &impl ConnectionTrait, user: UserId, role: RoleId) -> Result<()> {
    Ok(rows::add(db, user_role::Model { user_id: user, role_id: role }).await?)
}

/// A condition that is always true without a search; letters count alike in both cases.
pub(super) fn contains(column: impl sea_orm::ColumnTrait, search: Option<&str>) -> sea_orm::Condition {
    let condition = sea_orm::Condition::all();
    let Some(search) = search.map(str::trim).filter(|search| !search.is_empty()) else {
        return condition;
    };
    let mut pattern = String::from("%");
    for letter in search.to_lowercase().chars() {
        if matches!(letter, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(letter);
    }
    pattern.push('%');
    condition.add(Expr::expr(Func::lower(Expr::col(column))).like(LikeExpr::new(pattern).escape('\\')))
}
