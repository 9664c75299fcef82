//! What a key would be granted, before anything is saved.

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};

use super::context;
use super::error::field_error;
use super::roles::Role;
use super::scalars::{parse_ids, parse_owner};
use super::scopes::Scope;
use crate::actions::permissions::{self as actions, Because, Preview};
use crate::error::Result;

/// A key that does not exist yet.
#[derive(Clone, Debug, InputObject)]
pub(super) struct PermissionPreviewInput {
    /// Whose key it would be; the viewer when left out. Somebody else needs `keys:create:any`.
    owner_id: Option<ID>,
    /// The roles that it would be given. With neither roles nor scopes, all that its owner holds.
    role_ids: Option<Vec<ID>>,
    /// The names of the scopes that it would be given directly.
    scopes: Option<Vec<String>>,
    /// Whether it would be barred from every mutation.
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

/// What a key would be granted, and what it would not although it was given, each by name.
#[derive(Clone, Debug, SimpleObject)]
pub(super) struct PermissionPreview {
    /// What an exchange would grant now.
    grants: Vec<PermissionGrant>,
    /// What it would be given and not be granted.
    withheld: Vec<PermissionWithheld>,
}

/// A scope, and how the key would come to it.
#[derive(Clone, Debug, SimpleObject)]
pub(super) struct PermissionGrant {
    /// The scope.
    scope: Scope,
    /// The roles that grant it.
    granted_by: Vec<Role>,
    /// Whether it would be given directly.
    direct: bool,
}

/// A scope that would not be granted.
#[derive(Clone, Debug, SimpleObject)]
pub(super) struct PermissionWithheld {
    /// The scope.
    scope: Scope,
    /// Why not.
    because: WithheldReason,
}

/// Why a scope would not be granted. Values can be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "Because")]
pub(super) enum WithheldReason {
    /// The owner does not hold it, or not `keys:use`, without which no key of a user is granted anything.
    OwnerLacksScope,
    /// It lets change something, and the key would be read-only.
    ReadOnly,
}

#[derive(Default)]
pub(super) struct PermissionQueries;

/// What a key would be granted.
#[Object]
impl PermissionQueries {
    /// What a key with these roles and scopes would be granted, and which role grants each scope, before anything is
    /// saved.
    #[graphql(complexity = "20 * child_complexity")]
    async fn permission_preview(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The key that does not exist yet.")] input: PermissionPreviewInput,
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
