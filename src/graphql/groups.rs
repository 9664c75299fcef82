//! Groups, and what changes them.

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object};
use entity::{RoleId, UserId, group};

use super::context;
use super::error::field_error;
use super::loaders::{RolesOfGroup, load};
use super::page::{GroupConnection, PageArguments, UserConnection, counted, page_cost};
use super::payloads::{DeletePayload, payload_type};
use super::roles::Role;
use super::scalars::{changed_description, new_description, parse_id, parse_ids};
use crate::actions;
use crate::actions::groups::{GroupChanges, NewGroup};
use crate::actions::users::UserFilter;
use crate::error::Result;
use crate::values::Name;

/// A set of users that carries roles.
#[derive(Clone, Debug)]
pub(super) struct Group(pub group::Model);

impl From<group::Model> for Group {
    fn from(row: group::Model) -> Self {
        Self(row)
    }
}

/// A set of users that carries roles.
#[Object]
impl Group {
    /// The id, such as `group_01j9…`.
    pub(super) async fn id(&self) -> ID {
        ID(self.0.id.to_string())
    }

    /// The unique name.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// What it is for.
    async fn description(&self) -> Option<&str> {
        self.0.description.as_deref()
    }

    /// The roles that its members hold, by name.
    #[graphql(complexity = "2 * child_complexity")]
    async fn roles(&self, ctx: &Context<'_>) -> async_graphql::Result<Vec<Role>> {
        Ok(load(ctx, RolesOfGroup(self.0.id)).await?.unwrap_or_default().into_iter().map(Role).collect())
    }

    /// Its members that the viewer may see, by e-mail address.
    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    #[expect(clippy::too_many_arguments, reason = "these are the arguments of the GraphQL field")]
    async fn members(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The length of a page from the start; at most 100.")] first: Option<i32>,
        #[graphql(desc = "Begin after this cursor.")] after: Option<String>,
        #[graphql(desc = "The length of a page from the end; at most 100.")] last: Option<i32>,
        #[graphql(desc = "End before this cursor.")] before: Option<String>,
    ) -> async_graphql::Result<Option<UserConnection>> {
        let filter = UserFilter { groups: Some(vec![self.0.id]), ..UserFilter::default() };
        super::users::list(ctx, &filter, PageArguments { first, after, last, before }).await.map(Some)
    }

    /// Raised by each change.
    async fn version(&self) -> i32 {
        self.0.version
    }
}

/// Which groups.
#[derive(Clone, Debug, Default, InputObject)]
pub(super) struct GroupFilter {
    /// Part of the name.
    search: Option<String>,
}

/// What a group is made from.
#[derive(Clone, Debug, InputObject)]
pub(super) struct CreateGroupInput {
    /// The unique name; at most 100 characters.
    name: String,
    /// What it is for; at most 1,000 characters.
    description: Option<String>,
    /// The roles that its members hold.
    role_ids: Option<Vec<ID>>,
    /// Its first members.
    member_ids: Option<Vec<ID>>,
}

impl CreateGroupInput {
    fn parse(self) -> Result<NewGroup> {
        Ok(NewGroup {
            name: Name::parse("name", &self.name)?,
            description: new_description(self.description)?,
            roles: parse_ids::<RoleId>("roleIds", &self.role_ids.unwrap_or_default())?,
            members: parse_ids::<UserId>("memberIds", &self.member_ids.unwrap_or_default())?,
        })
    }
}

/// What to change of a group. A field left out stays as it is; null clears.
#[derive(Clone, Debug, InputObject)]
pub(super) struct UpdateGroupInput {
    /// Which group.
    id: ID,
    /// The version that was read: the change is refused if somebody else was faster.
    version: Option<i32>,
    /// The new name.
    name: Option<String>,
    /// What it is for.
    description: MaybeUndefined<String>,
    /// The roles that replace those it has.
    role_ids: Option<Vec<ID>>,
    /// Users who become members.
    add_member_ids: Option<Vec<ID>>,
    /// Users who are members no longer.
    remove_member_ids: Option<Vec<ID>>,
}

impl UpdateGroupInput {
    fn parse(self) -> Result<GroupChanges> {
        Ok(GroupChanges {
            name: self.name.map(|text| Name::parse("name", &text)).transpose()?,
            description: changed_description(self.description)?,
            roles: self.role_ids.map(|ids| parse_ids::<RoleId>("roleIds", &ids)).transpose()?,
            add_members: parse_ids("addMemberIds", &self.add_member_ids.unwrap_or_default())?,
            remove_members: parse_ids("removeMemberIds", &self.remove_member_ids.unwrap_or_default())?,
        })
    }
}

/// Which group.
#[derive(Clone, Debug, InputObject)]
pub(super) struct GroupIdInput {
    /// Its id.
    id: ID,
}

payload_type!(
    /// What became of a change of a group.
    GroupPayload {
        /// The group as it is now.
        group: Group
    }
);

#[derive(Default)]
pub(super) struct GroupQueries;

/// Groups.
#[Object]
impl GroupQueries {
    /// The groups, by name.
    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    #[expect(clippy::too_many_arguments, reason = "these are the arguments of the GraphQL field")]
    async fn groups(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which groups; all when left out.")] filter: Option<GroupFilter>,
        #[graphql(desc = "The length of a page from the start; at most 100.")] first: Option<i32>,
        #[graphql(desc = "Begin after this cursor.")] after: Option<String>,
        #[graphql(desc = "The length of a page from the end; at most 100.")] last: Option<i32>,
        #[graphql(desc = "End before this cursor.")] before: Option<String>,
    ) -> async_graphql::Result<Option<GroupConnection>> {
        let cx = context(ctx)?;
        let request = PageArguments { first, after, last, before }.parse().map_err(field_error)?;
        let search = filter.unwrap_or_default().search;
        let page = actions::groups::list(cx, search.as_deref(), &request).await.map_err(field_error)?;
        let count = counted(ctx, actions::groups::count(cx, search.as_deref())).await?;
        Ok(Some(GroupConnection::new(page, |row| Group(row.into_row()), count).map_err(field_error)?))
    }
}

#[derive(Default)]
pub(super) struct GroupMutations;

/// What changes groups.
#[Object]
impl GroupMutations {
    /// Makes a group. What its roles grant, the viewer must hold.
    async fn create_group(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What it is made from.")] input: CreateGroupInput,
    ) -> async_graphql::Result<Option<GroupPayload>> {
        let cx = context(ctx)?;
        GroupPayload::from_result(async { actions::groups::create(cx, input.parse()?).await }.await)
    }

    /// Changes a group. Who becomes a member obtains what its roles grant, which the viewer must hold.
    async fn update_group(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to change.")] input: UpdateGroupInput,
    ) -> async_graphql::Result<Option<GroupPayload>> {
        let cx = context(ctx)?;
        let change = async {
            let (id, version) = (parse_id("id", &input.id)?, input.version);
            actions::groups::update(cx, id, version, input.parse()?).await
        };
        GroupPayload::from_result(change.await)
    }

    /// Deletes a group that has no members.
    async fn delete_group(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which group.")] input: GroupIdInput,
    ) -> async_graphql::Result<Option<DeletePayload>> {
        let cx = context(ctx)?;
        DeletePayload::of(async { actions::groups::delete(cx, parse_id("id", &input.id)?).await }.await)
    }
}
