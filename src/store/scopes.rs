//! APIs and their scopes.

use entity::scope::{self, Column, ScopeKind};
use entity::{ApiId, ScopeId, api};
use sea_orm::{ColumnTrait as _, ConnectionTrait, PaginatorTrait as _, QueryFilter as _};

use super::page::{self, ForeignCursor, Page, PageRequest, Sort};
use super::roles::contains;
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

/// All APIs: there are few.
pub async fn apis(db: &impl ConnectionTrait) -> Result<Vec<api::Model>> {
    Ok(rows::shared::<api::Entity>().all(db).await?)
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
