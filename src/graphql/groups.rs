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

/// A set of users. Its members hold the roles of the group.
#[derive(Clone, Debug)]
pub(super) struct Group(pub group::Model);

impl From<group::Model> for Group {
    fn from(row: group::Model) -> Self {
        Self(row)
    }
}

/// A set of users. Its members hold the roles of the group.
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

    /// What it is for, in free text.
    async fn description(&self) -> Option<&str> {
        self.0.description.as_deref()
    }

    /// The roles that members hold through the group, by name.
    #[graphql(complexity = "2 * child_complexity")]
    async fn roles(&self, ctx: &Context<'_>) -> async_graphql::Result<Vec<Role>> {
        Ok(load(ctx, RolesOfGroup(self.0.id)).await?.unwrap_or_default().into_iter().map(Role).collect())
    }

    /// The members that the caller can see, by e-mail address.
    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    #[expect(clippy::too_many_arguments, reason = "these are the arguments of the GraphQL field")]
    async fn members(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "Page size, counted from the start of the list; from 0 to 100, by default 50. Not together with `last`."
        )]
        first: Option<i32>,
        #[graphql(desc = "Return rows after this cursor.")] after: Option<String>,
        #[graphql(
            desc = "Page size, counted from the end of the list; from 0 to 100. Not together with `first`."
        )]
        last: Option<i32>,
        #[graphql(desc = "Return rows before this cursor.")] before: Option<String>,
    ) -> async_graphql::Result<Option<UserConnection>> {
        let filter = UserFilter { groups: Some(vec![self.0.id]), ..UserFilter::default() };
        super::users::list(ctx, &filter, PageArguments { first, after, last, before }).await.map(Some)
    }

    /// Incremented by each change. Send it back in an update to detect a concurrent change.
    async fn version(&self) -> i32 {
        self.0.version
    }
}

/// Filters a list of groups.
#[derive(Clone, Debug, Default, InputObject)]
pub(super) struct GroupFilter {
    /// Text that the name contains.
    search: Option<String>,
}

/// Input of `createGroup`.
#[derive(Clone, Debug, InputObject)]
pub(super) struct CreateGroupInput {
    /// The name, unique; at most 100 characters.
    name: String,
    /// What it is for, in free text; at most 1,000 characters.
    description: Option<String>,
    /// The ids of the roles that members hold through the group.
    role_ids: Option<Vec<ID>>,
    /// The ids of the first members.
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

/// Input of `updateGroup`. Omitted fields stay unchanged; null clears a field that may be empty.
#[derive(Clone, Debug, InputObject)]
pub(super) struct UpdateGroupInput {
    /// The id of the group to change.
    id: ID,
    /// The version last read. If the object has changed since, nothing is changed and the error is `VERSION_CONFLICT`.
    version: Option<i32>,
    /// The new name.
    name: Option<String>,
    /// What it is for, in free text.
    description: MaybeUndefined<String>,
    /// The ids of the roles of the group; replaces the list.
    role_ids: Option<Vec<ID>>,
    /// The ids of users to add as members.
    add_member_ids: Option<Vec<ID>>,
    /// The ids of members to remove.
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

/// Identifies a group.
#[derive(Clone, Debug, InputObject)]
pub(super) struct GroupIdInput {
    /// The id.
    id: ID,
}

payload_type!(
    /// Payload of the mutations that change a group.
    GroupPayload {
        /// The group after the change; null if there are errors.
        group: Group
    }
);

#[derive(Default)]
pub(super) struct GroupQueries;

/// Groups.
#[Object]
impl GroupQueries {
    /// Groups, by name.
    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    #[expect(clippy::too_many_arguments, reason = "these are the arguments of the GraphQL field")]
    async fn groups(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which groups to return; all if omitted.")] filter: Option<GroupFilter>,
        #[graphql(
            desc = "Page size, counted from the start of the list; from 0 to 100, by default 50. Not together with `last`."
        )]
        first: Option<i32>,
        #[graphql(desc = "Return rows after this cursor.")] after: Option<String>,
        #[graphql(
            desc = "Page size, counted from the end of the list; from 0 to 100. Not together with `first`."
        )]
        last: Option<i32>,
        #[graphql(desc = "Return rows before this cursor.")] before: Option<String>,
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
    /// Creates a group. The caller must hold every scope that the roles of the group grant.
    async fn create_group(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The new object.")] input: CreateGroupInput,
    ) -> async_graphql::Result<Option<GroupPayload>> {
        let cx = context(ctx)?;
        GroupPayload::from_result(async { actions::groups::create(cx, input.parse()?).await }.await)
    }

    /// Changes a group. The caller must hold every scope that new members obtain through the roles of the group.
    async fn update_group(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The changes.")] input: UpdateGroupInput,
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
        #[graphql(desc = "The group to delete.")] input: GroupIdInput,
    ) -> async_graphql::Result<Option<DeletePayload>> {
        let cx = context(ctx)?;
        DeletePayload::of(async { actions::groups::delete(cx, parse_id("id", &input.id)?).await }.await)
    }
}
