//! Which users and which service accounts: their lists and counts.

use std::collections::HashMap;

use entity::{
    AccountId, GroupId, ObjectKind, RoleId, account, account_role, group_member, service_account, user,
};
use sea_orm::sea_query::{Condition, Query, SelectStatement};
use sea_orm::{ColumnTrait as _, ConnectionTrait, DbBackend, PaginatorTrait as _, QueryFilter as _, Select};

use super::accounts::{Owner, ServiceAccountRow, UserRow, behind_rows};
use super::page::{self, ForeignCursor, Page, PageRequest, Sort};
use super::{Reached, rows, search};
use crate::access::Reach;
use crate::error::Result;
use crate::values::Search;

/// Which users: all conditions hold together, a list means any of its values.
#[derive(Clone, Debug, Default)]
pub struct UserFilter {
    /// Of the address, the handle or the name.
    pub search: Option<Search>,
    pub active: Option<bool>,
    pub groups: Option<Vec<GroupId>>,
    /// Directly or through groups.
    pub roles: Option<Vec<RoleId>>,
}

impl UserFilter {
    fn condition(&self, backend: DbBackend) -> Condition {
        let is = |accounts: SelectStatement| user::Column::Id.in_subquery(accounts);
        let search = self.search.as_ref();
        let found = search.map(|text| {
            search::accounts(text, (user::Entity, user::Column::Id), (ObjectKind::User, backend))
        });
        let active = self.active.map(|active| {
            let accounts = Query::select().column(account::Column::Id).from(account::Entity).take();
            is(accounts.clone().and_where(account::Column::Active.eq(active)).take())
        });
        let in_groups = self.groups.as_ref().map(|groups| {
            let members =
                Query::select().column(group_member::Column::UserId).from(group_member::Entity).take();
            is(members.clone().and_where(group_member::Column::GroupId.is_in(groups.iter().copied())).take())
        });
        let with_roles = self.roles.as_ref().map(|roles| {
            let holders =
                Query::select().column(account_role::Column::AccountId).from(account_role::Entity).take();
            is(holders.clone().and_where(account_role::Column::RoleId.is_in(roles.iter().copied())).take())
        });
        Condition::all().add_option(found).add_option(active).add_option(in_groups).add_option(with_roles)
    }
}

/// Users by e-mail address.
pub async fn list_users(
    db: &impl ConnectionTrait,
    reach: &Reach,
    filter: &UserFilter,
    request: &PageRequest,
) -> Result<Result<Page<UserRow>, ForeignCursor>> {
    let sort = Sort { order: 20, column: Some(user::Column::Email), id: user::Column::Id, descending: false };
    let page = page::fetch(
        db,
        rows::users(reach).filter(filter.condition(db.get_database_backend())),
        sort,
        request,
    )
    .await?;
    owners_of(db, page, |user| user.id.into(), Owner::into_user).await
}

pub async fn count_users(db: &impl ConnectionTrait, reach: &Reach, filter: &UserFilter) -> Result<u64> {
    Ok(rows::users(reach).filter(filter.condition(db.get_database_backend())).count(db).await?)
}

/// The service accounts that a search finds, by name.
pub async fn list_service_accounts(
    db: &impl ConnectionTrait,
    reach: &Reach,
    search: Option<&Search>,
    request: &PageRequest,
) -> Result<Result<Page<ServiceAccountRow>, ForeignCursor>> {
    use service_account::Column;
    let select = found_service_accounts(db, reach, search);
    let sort = Sort { order: 21, column: Some(Column::Name), id: Column::Id, descending: false };
    let page = page::fetch(db, select, sort, request).await?;
    owners_of(db, page, |row| AccountId(row.id.0), Owner::into_service_account).await
}

pub async fn count_service_accounts(
    db: &impl ConnectionTrait,
    reach: &Reach,
    search: Option<&Search>,
) -> Result<u64> {
    Ok(found_service_accounts(db, reach, search).count(db).await?)
}

fn found_service_accounts(
    db: &impl ConnectionTrait,
    reach: &Reach,
    search: Option<&Search>,
) -> Select<service_account::Entity> {
    let kind = (ObjectKind::ServiceAccount, db.get_database_backend());
    let found = search
        .map(|text| search::accounts(text, (service_account::Entity, service_account::Column::Id), kind));
    rows::service_accounts(reach).filter(Condition::all().add_option(found))
}

/// A page with whole accounts in the place of its rows.
async fn owners_of<M, T>(
    db: &impl ConnectionTrait,
    page: Result<Page<Reached<M>>, ForeignCursor>,
    id: impl Fn(&M) -> AccountId,
    pick: impl Fn(Owner) -> Option<T>,
) -> Result<Result<Page<T>, ForeignCursor>> {
    let Ok(page) = page else { return Ok(Err(ForeignCursor)) };
    let ids: Vec<AccountId> = page.rows.iter().map(|(_, row)| id(row)).collect();
    let mut owners: HashMap<AccountId, Owner> =
        behind_rows(db, &ids).await?.into_iter().map(|owner| (owner.account().id, owner)).collect();
    let mut whole = |row: &M| owners.remove(&id(row)).and_then(&pick);
    let rows = page.rows.into_iter().filter_map(|(cursor, row)| Some((cursor, whole(&row)?))).collect();
    Ok(Ok(Page { rows, has_previous: page.has_previous, has_next: page.has_next }))
}
