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

    /// What it is for, in free text.
    async fn description(&self) -> Option<&str> {
        self.0.description.as_deref()
    }

    /// Whether it is built in. Built-in roles cannot be changed.
    async fn built_in(&self) -> bool {
        self.0.built_in
    }

    /// The scopes that it grants now, by name.
    #[graphql(complexity = "10 * child_complexity")]
    async fn scopes(&self, ctx: &Context<'_>) -> async_graphql::Result<Vec<Scope>> {
        let scopes = load(ctx, ScopesOfRole(self.0.id)).await?.unwrap_or_default();
        Ok(scopes.into_iter().map(Scope).collect())
    }

    /// Incremented by each change. Send it back in an update to detect a concurrent change.
    async fn version(&self) -> i32 {
        self.0.version
    }
}

/// Filters a list of roles.
#[derive(Clone, Debug, Default, InputObject)]
pub(super) struct RoleFilter {
    /// Text that the name contains.
    search: Option<String>,
}

#[derive(Default)]
pub(super) struct RoleQueries;

/// Roles.
#[Object]
impl RoleQueries {
    /// Roles, by name.
    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    #[expect(clippy::too_many_arguments, reason = "these are the arguments of the GraphQL field")]
    async fn roles(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which roles to return; all if omitted.")] filter: Option<RoleFilter>,
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
    ) -> async_graphql::Result<Option<RoleConnection>> {
        let cx = context(ctx)?;
        let request = PageArguments { first, after, last, before }.parse().map_err(field_error)?;
        let search = filter.unwrap_or_default().search;
        let page = actions::roles::list(cx, search.as_deref(), &request).await.map_err(field_error)?;
        let count = counted(ctx, actions::roles::count(cx, search.as_deref())).await?;
        Ok(Some(RoleConnection::new(page, |row| Role(row.into_row()), count).map_err(field_error)?))
    }
}

/// Input of `createRole`.
#[derive(Clone, Debug, InputObject)]
pub(super) struct CreateRoleInput {
    /// The name, unique; at most 100 characters.
    name: String,
    /// What it is for, in free text; at most 1,000 characters.
    description: Option<String>,
    /// The names of the scopes that it grants.
    scopes: Vec<String>,
}

/// Input of `updateRole`. Omitted fields stay unchanged; null clears a field that may be empty.
#[derive(Clone, Debug, InputObject)]
pub(super) struct UpdateRoleInput {
    /// The id of the role to change.
    id: ID,
    /// The version last read. If the object has changed since, nothing is changed and the error is `VERSION_CONFLICT`.
    version: Option<i32>,
    /// The new name.
    name: Option<String>,
    /// What it is for, in free text.
    description: MaybeUndefined<String>,
    /// The names of the scopes that the role grants; replaces the list.
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

/// Identifies a role.
#[derive(Clone, Debug, InputObject)]
pub(super) struct RoleIdInput {
    /// The id.
    id: ID,
}

payload_type!(
    /// Payload of the mutations that change a role.
    RolePayload {
        /// The role after the change; null if there are errors.
        role: Role
    }
);

#[derive(Default)]
pub(super) struct RoleMutations;

/// What changes roles.
#[Object]
impl RoleMutations {
    /// Creates a role. The caller must hold every scope in it.
    async fn create_role(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The new object.")] input: CreateRoleInput,
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

    /// Changes a role. Scopes removed from it are lost at once by everyone who holds them through it.
    async fn update_role(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The changes.")] input: UpdateRoleInput,
    ) -> async_graphql::Result<Option<RolePayload>> {
        let cx = context(ctx)?;
        let change = async {
            let (id, version) = (parse_id("id", &input.id)?, input.version);
            actions::roles::update(cx, id, version, input.parse()?).await
        };
        RolePayload::from_result(change.await)
    }

    /// Deletes a role that is not assigned to any user, group or API key.
    async fn delete_role(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The role to delete.")] input: RoleIdInput,
    ) -> async_graphql::Result<Option<DeletePayload>> {
        let cx = context(ctx)?;
        DeletePayload::of(async { actions::roles::delete(cx, parse_id("id", &input.id)?).await }.await)
    }
}
