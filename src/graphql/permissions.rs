//! What a key would be granted, before anything is saved.

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};

use super::context;
use super::error::field_error;
use super::roles::Role;
use super::scalars::{parse_ids, parse_owner};
use super::scopes::Scope;
use crate::actions::permissions::{self as actions, Because, Preview};
use crate::error::Result;

/// The API key to preview. It need not exist.
#[derive(Clone, Debug, InputObject)]
pub(super) struct PermissionPreviewInput {
    /// The id of the owner; the caller's own account if omitted. Another owner requires `keys:create:any`.
    owner_id: Option<ID>,
    /// The ids of the roles to assign. With neither roles nor scopes, all scopes of the owner.
    role_ids: Option<Vec<ID>>,
    /// The names of the scopes to assign directly.
    scopes: Option<Vec<String>>,
    /// Whether the key would be read-only.
    read_only: Option<bool>,
}

impl PermissionPreviewInput {
    fn parse(self) -> Result<Preview> {
        Ok(Preview {
            owner: self.owner_id.map(|id| parse_owner("ownerId", &id)).transpose()?,
            roles: self.role_ids.map(|ids| parse_ids("roleIds", &ids)).transpose()?,
            scopes: self.scopes,
            read_only: self.read_only.unwrap_or(false),
        })
    }
}

/// The scopes that a key would be granted, and those that it would be assigned but not granted, by name.
#[derive(Clone, Debug, SimpleObject)]
pub(super) struct PermissionPreview {
    /// The scopes that a token issued now would have.
    grants: Vec<PermissionGrant>,
    /// The scopes that would be assigned but not granted.
    withheld: Vec<PermissionWithheld>,
}

/// A scope that would be granted, and where it comes from.
#[derive(Clone, Debug, SimpleObject)]
pub(super) struct PermissionGrant {
    /// The scope.
    scope: Scope,
    /// The roles that grant it.
    granted_by: Vec<Role>,
    /// Whether it is assigned directly.
    direct: bool,
}

/// A scope that would be assigned but not granted.
#[derive(Clone, Debug, SimpleObject)]
pub(super) struct PermissionWithheld {
    /// The scope.
    scope: Scope,
    /// Why it would not be granted.
    because: WithheldReason,
}

/// Why a scope would not be granted. Values can be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "Because")]
pub(super) enum WithheldReason {
    /// The owner does not hold the scope, or does not hold `keys:use`, which every key of a user needs.
    OwnerLacksScope,
    /// The scope is of kind `WRITE`, and the key would be read-only.
    ReadOnly,
}

#[derive(Default)]
pub(super) struct PermissionQueries;

/// What a key would be granted.
#[Object]
impl PermissionQueries {
    /// The scopes that a key with these roles and scopes would be granted, and which role grants each. Nothing is
    /// saved.
    #[graphql(complexity = "20 * child_complexity")]
    async fn permission_preview(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The API key to preview.")] input: PermissionPreviewInput,
    ) -> async_graphql::Result<Option<PermissionPreview>> {
        let cx = context(ctx)?;
        let found = async { actions::preview(cx, &input.parse()?).await }.await.map_err(field_error)?;
        let grants = found.grants.into_iter().map(|granted| PermissionGrant {
            scope: Scope(granted.scope),
            granted_by: granted.by.into_iter().map(Role).collect(),
            direct: granted.direct,
        });
        let withheld = found
            .withheld
            .into_iter()
            .map(|(scope, because)| PermissionWithheld { scope: Scope(scope), because: because.into() });
        Ok(Some(PermissionPreview { grants: grants.collect(), withheld: withheld.collect() }))
    }
}
