//! Roles.

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object};
use entity::role;

use super::context;
use super::error::field_error;
use super::loaders::{ScopesOfRole, load};
use super::page::{PageArguments, RoleConnection, counted, page_cost};
use super::payloads::{DeletePayload, payload_type};
use super::scalars::{changed_description, new_description, parse_id};
use super::scopes::Scope;
use crate::actions;
use crate::actions::roles::{NewRole, RoleChanges};
use crate::error::Result;
use crate::values::Name;

/// A named set of scopes.
#[derive(Clone, Debug)]
pub(super) struct Role(pub role::Model);

impl From<role::Model> for Role {
    fn from(row: role::Model) -> Self {
        Self(row)
    }
}

/// A named set of scopes.
#[Object]
impl Role {
    /// The id, such as `role_01j9…`.
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

    /// Whether it came with the server and cannot be changed.
    async fn built_in(&self) -> bool {
        self.0.built_in
    }

    /// The scopes that it grants now, by name.
    #[graphql(complexity = "10 * child_complexity")]
    async fn scopes(&self, ctx: &Context<'_>) -> async_graphql::Result<Vec<Scope>> {
        let scopes = load(ctx, ScopesOfRole(self.0.id)).await?.unwrap_or_default();
        Ok(scopes.into_iter().map(Scope).collect())
    }

    /// Raised by each change.
    async fn version(&self) -> i32 {
        self.0.version
    }
}

/// Which roles.
#[derive(Clone, Debug, Default, InputObject)]
pub(super) struct RoleFilter {
    /// Part of the name.
    search: Option<String>,
}

#[derive(Default)]
pub(super) struct RoleQueries;

/// Roles.
#[Object]
impl RoleQueries {
    /// The roles, by name.
    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    #[expect(clippy::too_many_arguments, reason = "these are the arguments of the GraphQL field")]
    async fn roles(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which roles; all when left out.")] filter: Option<RoleFilter>,
        #[graphql(desc = "The length of a page from the start; at most 100.")] first: Option<i32>,
        #[graphql(desc = "Begin after this cursor.")] after: Option<String>,
        #[graphql(desc = "The length of a page from the end; at most 100.")] last: Option<i32>,
        #[graphql(desc = "End before this cursor.")] before: Option<String>,
    ) -> async_graphql::Result<Option<RoleConnection>> {
        let cx = context(ctx)?;
        let request = PageArguments { first, after, last, before }.parse().map_err(field_error)?;
        let search = filter.unwrap_or_default().search;
        let page = actions::roles::list(cx, search.as_deref(), &request).await.map_err(field_error)?;
        let count = counted(ctx, actions::roles::count(cx, search.as_deref())).await?;
        Ok(Some(RoleConnection::new(page, |row| Role(row.into_row()), count).map_err(field_error)?))
    }
}

/// What a role is made from.
#[derive(Clone, Debug, InputObject)]
pub(super) struct CreateRoleInput {
    /// The unique name; at most 100 characters.
    name: String,
    /// What it is for; at most 1,000 characters.
    description: Option<String>,
    /// The names of the scopes that it grants.
    scopes: Vec<String>,
}

/// What to change of a role. A field left out stays as it is; null clears.
#[derive(Clone, Debug, InputObject)]
pub(super) struct UpdateRoleInput {
    /// Which role.
    id: ID,
    /// The version that was read: the change is refused if somebody else was faster.
    version: Option<i32>,
    /// The new name.
    name: Option<String>,
    /// What it is for.
    description: MaybeUndefined<String>,
    /// The names of the scopes that replace those it grants.
    scopes: Option<Vec<String>>,
}

impl UpdateRoleInput {
    fn parse(self) -> Result<RoleChanges> {
        Ok(RoleChanges {
            name: self.name.map(|text| Name::parse("name", &text)).transpose()?,
            description: changed_description(self.description)?,
            scopes: self.scopes,
        })
    }
}

/// Which role.
#[derive(Clone, Debug, InputObject)]
pub(super) struct RoleIdInput {
    /// Its id.
    id: ID,
}

payload_type!(
    /// What became of a change of a role.
    RolePayload {
        /// The role as it is now.
        role: Role
    }
);

#[derive(Default)]
pub(super) struct RoleMutations;

/// What changes roles.
#[Object]
impl RoleMutations {
    /// Makes a role of scopes that the viewer holds.
    async fn create_role(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What it is made from.")] input: CreateRoleInput,
    ) -> async_graphql::Result<Option<RolePayload>> {
        let cx = context(ctx)?;
        let create = async {
            let name = Name::parse("name", &input.name)?;
            let about = new_description(input.description)?;
            let new = NewRole { name, description: about, scopes: input.scopes };
            actions::roles::create(cx, new).await
        };
        RolePayload::from_result(create.await)
    }

    /// Changes a role. Scopes that it loses are lost at once to whoever holds them through it.
    async fn update_role(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to change.")] input: UpdateRoleInput,
    ) -> async_graphql::Result<Option<RolePayload>> {
        let cx = context(ctx)?;
        let change = async {
            let (id, version) = (parse_id("id", &input.id)?, input.version);
            actions::roles::update(cx, id, version, input.parse()?).await
        };
        RolePayload::from_result(change.await)
    }

    /// Deletes a role that nobody has.
    async fn delete_role(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which role.")] input: RoleIdInput,
    ) -> async_graphql::Result<Option<DeletePayload>> {
        let cx = context(ctx)?;
        DeletePayload::of(async { actions::roles::delete(cx, parse_id("id", &input.id)?).await }.await)
    }
}
