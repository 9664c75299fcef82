//! APIs and their scopes.

use entity::scope::{self, Column, ScopeKind};
use entity::{ApiId, GlobalId, ScopeId, api};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, PaginatorTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _,
};

use super::page::{self, ForeignCursor, Page, PageRequest, Sort};
use super::roles::{SOME, contains, existing_keys};
use super::{Reached, rows};
use crate::access::Reach;
use crate::error::Result;

/// Which scopes: all conditions hold together.
#[derive(Clone, Debug, Default)]
pub struct ScopeFilter {
    pub search: Option<String>,
    pub apis: Option<Vec<ApiId>>,
    pub kind: Option<ScopeKind>,
}

impl ScopeFilter {
    fn condition(&self) -> sea_orm::Condition {
        contains(Column::Name, self.search.as_deref())
            .add_option(self.apis.as_ref().map(|apis| Column::ApiId.is_in(apis.iter().copied())))
            .add_option(self.kind.map(|kind| Column::Kind.eq(kind)))
    }
}

pub async fn list(
    db: &impl ConnectionTrait,
    _reach: &Reach,
    filter: &ScopeFilter,
    request: &PageRequest,
) -> Result<Result<Page<Reached<scope::Model>>, ForeignCursor>> {
    let select = rows::shared::<scope::Entity>().filter(filter.condition());
    page::fetch(
        db,
        select,
        Sort { order: 17, column: Some(Column::Name), id: Column::Id, descending: false },
        request,
    )
    .await
}

pub async fn count(db: &impl ConnectionTrait, _reach: &Reach, filter: &ScopeFilter) -> Result<u64> {
    Ok(rows::shared::<scope::Entity>().filter(filter.condition()).count(db).await?)
}

/// Those of these scopes that exist.
pub async fn find_many(db: &impl ConnectionTrait, ids: &[ScopeId]) -> Result<Vec<scope::Model>> {
    Ok(rows::shared::<scope::Entity>().filter(Column::Id.is_in(ids.iter().copied())).all(db).await?)
}

/// Those of these scopes that exist.
pub async fn find_by_names(db: &impl ConnectionTrait, names: &[String]) -> Result<Vec<scope::Model>> {
    // PostgreSQL fails on a text with U+0000; no scope has one in its name.
    let names = names.iter().filter(|name| !name.contains('\0')).cloned();
    Ok(rows::shared::<scope::Entity>().filter(Column::Name.is_in(names)).all(db).await?)
}

/// What an API is called in tokens: the built-in one is the issuer itself.
pub fn identifier<'a>(api: &'a api::Model, issuer: &'a str) -> &'a str {
    if api.built_in { issuer } else { &api.identifier }
}

/// All APIs: there are few.
pub async fn apis(db: &impl ConnectionTrait) -> Result<Vec<api::Model>> {
    Ok(rows::shared::<api::Entity>().all(db).await?)
}

/// The APIs, in the order they were made.
pub async fn list_apis(
    db: &impl ConnectionTrait,
    _reach: &Reach,
    request: &PageRequest,
) -> Result<Result<Page<Reached<api::Model>>, ForeignCursor>> {
    let sort = Sort { order: 19, column: None, id: api::Column::Id, descending: false };
    page::fetch(db, rows::shared::<api::Entity>(), sort, request).await
}

pub async fn count_apis(db: &impl ConnectionTrait, _reach: &Reach) -> Result<u64> {
    Ok(rows::shared::<api::Entity>().count(db).await?)
}

pub async fn add_api(db: &impl ConnectionTrait, api: api::Model) -> Result<()> {
    Ok(rows::add(db, api).await?)
}

pub async fn replace_api(db: &impl ConnectionTrait, api: &api::Model) -> Result<()> {
    rows::change_shared::<api::Entity>()
        .filter(api::Column::Id.eq(api.id))
        .col_expr(api::Column::Identifier, Expr::val(api.identifier.clone()))
        .col_expr(api::Column::Name, Expr::val(api.name.clone()))
        .col_expr(api::Column::Description, Expr::val(api.description.clone()))
        .col_expr(api::Column::Version, Expr::val(api.version))
        .col_expr(api::Column::UpdatedAt, Expr::val(api.updated_at))
        .exec(db)
        .await?;
    Ok(())
}

pub async fn delete_api(db: &impl ConnectionTrait, api: ApiId) -> Result<()> {
    rows::remove::<api::Entity>().filter(api::Column::Id.eq(api)).exec(db).await?;
    Ok(())
}

/// The scopes of one API.
pub async fn of_api(db: &impl ConnectionTrait, api: ApiId) -> Result<Vec<scope::Model>> {
    of_apis(db, &[api]).await
}

/// The scopes of these APIs, by name.
pub async fn of_apis(db: &impl ConnectionTrait, apis: &[ApiId]) -> Result<Vec<scope::Model>> {
    let scopes = rows::shared::<scope::Entity>().filter(Column::ApiId.is_in(apis.iter().copied()));
    Ok(scopes.order_by_asc(Column::Name).all(db).await?)
}

pub async fn add(db: &impl ConnectionTrait, scope: scope::Model) -> Result<()> {
    Ok(rows::add(db, scope).await?)
}

pub async fn replace(db: &impl ConnectionTrait, scope: &scope::Model) -> Result<()> {
    rows::change_shared::<scope::Entity>()
        .filter(Column::Id.eq(scope.id))
        .col_expr(Column::Description, Expr::val(scope.description.clone()))
        .col_expr(Column::Kind, Expr::val(scope.kind))
        .exec(db)
        .await?;
    Ok(())
}

/// Deletes a scope that nothing has but deleted keys.
pub async fn delete(db: &impl ConnectionTrait, scope: ScopeId) -> Result<()> {
    use entity::key_scope;
    rows::remove::<key_scope::Entity>().filter(key_scope::Column::ScopeId.eq(scope)).exec(db).await?;
    rows::remove::<scope::Entity>().filter(Column::Id.eq(scope)).exec(db).await?;
    Ok(())
}

/// What has a scope directly: roles and keys that are not deleted; at most 100 in all.
pub async fn holders(db: &impl ConnectionTrait, scope: ScopeId) -> Result<Vec<GlobalId>> {
    use entity::{key_scope, role_scope};
    let roles = rows::shared::<role_scope::Entity>().filter(role_scope::Column::ScopeId.eq(scope));
    let keys = rows::shared::<key_scope::Entity>()
        .filter(key_scope::Column::ScopeId.eq(scope))
        .filter(key_scope::Column::KeyId.in_subquery(existing_keys()));
    let mut holders: Vec<GlobalId> =
        roles.limit(SOME).all(db).await?.into_iter().map(|row| row.role_id.into()).collect();
    holders.extend(keys.limit(SOME).all(db).await?.into_iter().map(|row| GlobalId::from(row.key_id)));
    holders.truncate(usize::try_from(SOME).unwrap_or(usize::MAX));
    Ok(holders)
}

/// Adds Latchkey's own API, unless it is there.
pub async fn put_built_in_api(db: &impl ConnectionTrait, api: api::Model) -> Result<ApiId> {
    if let Some(found) = rows::shared::<api::Entity>().filter(api::Column::BuiltIn.eq(true)).one(db).await? {
        return Ok(found.id);
    }
    rows::add(db, api.clone()).await?;
    Ok(api.id)
}

/// Adds those of Latchkey's own scopes that are not there yet, and returns all of them.
pub async fn put_built_in(
    db: &impl ConnectionTrait,
    api: ApiId,
    scopes: Vec<scope::Model>,
) -> Result<Vec<scope::Model>> {
    let found = rows::shared::<scope::Entity>().filter(Column::ApiId.eq(api)).all(db).await?;
    let missing = scopes.into_iter().filter(|scope| !found.iter().any(|found| found.name == scope.name));
    rows::add_all(db, missing).await?;
    Ok(rows::shared::<scope::Entity>().filter(Column::ApiId.eq(api)).all(db).await?)
}
