//! Groups: their roles and their members.

use std::collections::HashMap;

use entity::group::{self, Column};
use entity::{GroupId, RoleId, UserId, group_member, group_role, role};
use sea_orm::sea_query::{Condition, Expr};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, PaginatorTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _,
};

use super::page::{self, ForeignCursor, Page, PageRequest, Sort};
use super::roles::{SOME, contains};
use super::{Reached, rows};
use crate::access::Reach;
use crate::error::Result;

/// The groups whose name contains `search`, by name.
pub async fn list(
    db: &impl ConnectionTrait,
    _reach: &Reach,
    search: Option<&str>,
    request: &PageRequest,
) -> Result<Result<Page<Reached<group::Model>>, ForeignCursor>> {
    let select = rows::shared::<group::Entity>().filter(contains(Column::Name, search));
    let sort = Sort { order: 22, column: Some(Column::Name), id: Column::Id, descending: false };
    page::fetch(db, select, sort, request).await
}

pub async fn count(db: &impl ConnectionTrait, _reach: &Reach, search: Option<&str>) -> Result<u64> {
    Ok(rows::shared::<group::Entity>().filter(contains(Column::Name, search)).count(db).await?)
}

/// Those of these groups that exist.
pub async fn find_many(db: &impl ConnectionTrait, ids: &[GroupId]) -> Result<Vec<group::Model>> {
    Ok(rows::shared::<group::Entity>().filter(Column::Id.is_in(ids.iter().copied())).all(db).await?)
}

pub async fn find_by_name(db: &impl ConnectionTrait, name: &str) -> Result<Option<group::Model>> {
    Ok(rows::shared::<group::Entity>().filter(Column::Name.eq(name)).one(db).await?)
}

pub async fn add(db: &impl ConnectionTrait, group: group::Model) -> Result<()> {
    Ok(rows::add(db, group).await?)
}

pub async fn replace(db: &impl ConnectionTrait, group: &group::Model) -> Result<()> {
    rows::change_shared::<group::Entity>()
        .filter(Column::Id.eq(group.id))
        .col_expr(Column::Name, Expr::val(group.name.clone()))
        .col_expr(Column::Description, Expr::val(group.description.clone()))
        .col_expr(Column::Version, Expr::val(group.version))
        .col_expr(Column::UpdatedAt, Expr::val(group.updated_at))
        .exec(db)
        .await?;
    Ok(())
}

pub async fn delete(db: &impl ConnectionTrait, group: GroupId) -> Result<()> {
    set_roles(db, group, &[]).await?;
    rows::remove::<group::Entity>().filter(Column::Id.eq(group)).exec(db).await?;
    Ok(())
}

/// Makes these the roles of a group.
pub async fn set_roles(db: &impl ConnectionTrait, group: GroupId, roles: &[RoleId]) -> Result<()> {
    rows::remove::<group_role::Entity>().filter(group_role::Column::GroupId.eq(group)).exec(db).await?;
    rows::add_all(db, roles.iter().map(|role| group_role::Model { group_id: group, role_id: *role })).await
}

/// The roles of each group, by name.
pub async fn roles_of(
    db: &impl ConnectionTrait,
    groups: &[GroupId],
) -> Result<HashMap<GroupId, Vec<role::Model>>> {
    let links = rows::shared::<group_role::Entity>()
        .filter(group_role::Column::GroupId.is_in(groups.iter().copied()))
        .all(db)
        .await?;
    let roles = rows::shared::<role::Entity>()
        .filter(role::Column::Id.is_in(links.iter().map(|link| link.role_id)))
        .order_by_asc(role::Column::Name)
        .all(db)
        .await?;
    let mut by_group: HashMap<GroupId, Vec<role::Model>> = HashMap::new();
    for role in roles {
        for link in links.iter().filter(|link| link.role_id == role.id) {
            by_group.entry(link.group_id).or_default().push(role.clone());
        }
    }
    Ok(by_group)
}

/// The groups of each user, by name.
pub async fn of_users(
    db: &impl ConnectionTrait,
    users: &[UserId],
) -> Result<HashMap<UserId, Vec<group::Model>>> {
    let links = rows::shared::<group_member::Entity>()
        .filter(group_member::Column::UserId.is_in(users.iter().copied()))
        .all(db)
        .await?;
    let groups = rows::shared::<group::Entity>()
        .filter(Column::Id.is_in(links.iter().map(|link| link.group_id)))
        .order_by_asc(Column::Name)
        .all(db)
        .await?;
    let mut by_user: HashMap<UserId, Vec<group::Model>> = HashMap::new();
    for group in groups {
        for link in links.iter().filter(|link| link.group_id == group.id) {
            by_user.entry(link.user_id).or_default().push(group.clone());
        }
    }
    Ok(by_user)
}

/// Members of a group; at most 100.
pub async fn some_members(db: &impl ConnectionTrait, group: GroupId) -> Result<Vec<UserId>> {
    let members = rows::shared::<group_member::Entity>().filter(group_member::Column::GroupId.eq(group));
    Ok(members.limit(SOME).all(db).await?.into_iter().map(|member| member.user_id).collect())
}

/// Adds users to a group; those who are in it stay. Says who was not.
pub async fn add_members(db: &impl ConnectionTrait, group: GroupId, users: &[UserId]) -> Result<Vec<UserId>> {
    let there = rows::shared::<group_member::Entity>()
        .filter(group_member::Column::GroupId.eq(group))
        .filter(group_member::Column::UserId.is_in(users.iter().copied()))
        .all(db)
        .await?;
    let mut new: Vec<UserId> = Vec::new();
    for user in users {
        if !there.iter().any(|member| member.user_id == *user) && !new.contains(user) {
            new.push(*user);
        }
    }
    rows::add_all(db, new.iter().map(|user| group_member::Model { group_id: group, user_id: *user })).await?;
    Ok(new)
}

/// Takes users out of a group. Says who was in it.
pub async fn remove_members(
    db: &impl ConnectionTrait,
    group: GroupId,
    users: &[UserId],
) -> Result<Vec<UserId>> {
    let named = Condition::all()
        .add(group_member::Column::GroupId.eq(group))
        .add(group_member::Column::UserId.is_in(users.iter().copied()));
    let there = rows::shared::<group_member::Entity>().filter(named.clone()).all(db).await?;
    rows::remove::<group_member::Entity>().filter(named).exec(db).await?;
    Ok(there.into_iter().map(|member| member.user_id).collect())
}

/// Makes these the groups of a user.
pub async fn set_of_user(db: &impl ConnectionTrait, user: UserId, groups: &[GroupId]) -> Result<()> {
    rows::remove::<group_member::Entity>().filter(group_member::Column::UserId.eq(user)).exec(db).await?;
    rows::add_all(db, groups.iter().map(|group| group_member::Model { group_id: *group, user_id: user }))
        .await
}
