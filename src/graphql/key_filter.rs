//! Which API keys, and in which order: the inputs of their lists.

use async_graphql::{Enum, ID, InputObject, OneofObject};
use entity::account::AccountKind;

use super::keys::ApiKeyStatus;
use super::scalars::{DateTime, parse_actors, parse_ids, parse_owners, search};
use crate::actions::keys::{KeyFilter, KeyOrder, MAX_SCOPES};
use crate::error::{Result, UserError};

/// Names one API key.
#[derive(Clone, Debug, OneofObject)]
pub(super) enum ApiKeyBy {
    /// By its id.
    Id(ID),
    /// By its OAuth client id.
    ClientId(String),
}

/// What owns an API key. Values can be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "AccountKind")]
pub(super) enum OwnerKind {
    /// A person.
    User,
    /// A service account.
    ServiceAccount,
}

/// Which API keys: all conditions hold together, a list means any of its values.
#[derive(Clone, Debug, Default, InputObject)]
pub(super) struct ApiKeyFilter {
    /// Part of the name, or of the owner's e-mail address, handle or name, in either case; under three characters, its
    /// beginning. Also the beginning of the client id, and the four characters of a usable secret's hint as they are
    /// written. At most 100 characters. The list is then ordered by `CREATED_AT` alone.
    search: Option<String>,
    /// With these ids.
    ids: Option<Vec<ID>>,
    /// Of these users and service accounts.
    owner_ids: Option<Vec<ID>>,
    /// Of users, or of service accounts.
    owner_kind: Option<OwnerKind>,
    /// Of members of any of these groups.
    group_ids: Option<Vec<ID>>,
    /// Made by these users and service accounts, or through these API keys.
    created_by_ids: Option<Vec<ID>>,
    /// In any of these states. Left out, deleted keys and those of inactive owners do not appear.
    status: Option<Vec<ApiKeyStatus>>,
    /// Given any of these roles. A key that inherits from its owner was given none.
    role_ids: Option<Vec<ID>>,
    /// Granted any of these scopes by an exchange now, as `effectiveScopes` shows them; names, at most 20.
    scopes: Option<Vec<String>>,
    /// Read-only or not.
    read_only: Option<bool>,
    /// Made before this.
    created_before: Option<DateTime>,
    /// Made after this.
    created_after: Option<DateTime>,
    /// With an end before this.
    expires_before: Option<DateTime>,
    /// Not used since this. A key that was never used belongs to them if it was made before this.
    last_used_before: Option<DateTime>,
    /// Never used, or used at least once.
    never_used: Option<bool>,
    /// With a current secret that was made before this.
    secret_issued_before: Option<DateTime>,
}

impl ApiKeyFilter {
    pub(super) fn parse(self) -> Result<KeyFilter> {
        let instant = |given: Option<DateTime>| given.map(|instant| instant.0);
        Ok(KeyFilter {
            search: search(self.search)?,
            ids: self.ids.map(|ids| parse_ids("ids", &ids)).transpose()?,
            owners: self.owner_ids.map(|ids| parse_owners("ownerIds", &ids)).transpose()?,
            owner_kind: self.owner_kind.map(Into::into),
            groups: self.group_ids.map(|ids| parse_ids("groupIds", &ids)).transpose()?,
            created_by: self.created_by_ids.map(|ids| parse_actors("createdByIds", &ids)).transpose()?,
            status: self.status.map(|wanted| wanted.into_iter().map(Into::into).collect()),
            roles: self.role_ids.map(|ids| parse_ids("roleIds", &ids)).transpose()?,
            scopes: self.scopes.map(scope_names).transpose()?,
            read_only: self.read_only,
            created_before: instant(self.created_before),
            created_after: instant(self.created_after),
            expires_before: instant(self.expires_before),
            last_used_before: instant(self.last_used_before),
            never_used: self.never_used,
            secret_issued_before: instant(self.secret_issued_before),
        })
    }
}

/// Names of scopes, whether there are such scopes or not: nothing is granted what does not exist.
fn scope_names(names: Vec<String>) -> Result<Vec<String>> {
    if names.len() > MAX_SCOPES {
        let message = format!("Name at most {MAX_SCOPES} scopes; this names {}.", names.len());
        return Err(UserError::invalid("scopes", message).into());
    }
    // No name has it, and PostgreSQL fails on it.
    Ok(names.into_iter().filter(|name| !name.contains('\0')).collect())
}

/// What a list of API keys is ordered by. Values can be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "KeyOrder")]
pub(super) enum ApiKeyOrderField {
    /// The time of creation.
    CreatedAt,
    /// The name.
    Name,
    /// The last use; keys that were never used come last.
    LastUsedAt,
    /// The end; keys without one come last.
    ExpiresAt,
}

/// A direction. Values can be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub(super) enum OrderDirection {
    /// Smallest, earliest first.
    Asc,
    /// Largest, latest first.
    Desc,
}

/// The order of a list of API keys.
#[derive(Clone, Copy, Debug, InputObject)]
pub(super) struct ApiKeyOrder {
    /// What to order by.
    field: ApiKeyOrderField,
    /// In which direction.
    direction: OrderDirection,
}

impl ApiKeyOrder {
    pub(super) fn parse(order: Option<Self>) -> (KeyOrder, bool) {
        // The newest keys first, unless told otherwise.
        order.map_or((KeyOrder::CreatedAt, true), |order| {
            (order.field.into(), order.direction == OrderDirection::Desc)
        })
    }
}
