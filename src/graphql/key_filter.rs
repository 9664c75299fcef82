//! Which API keys, and in which order: the inputs of their lists.

use async_graphql::{Enum, ID, InputObject, OneofObject};
use entity::account::AccountKind;

use super::keys::ApiKeyStatus;
use super::scalars::{DateTime, parse_actors, parse_ids, parse_owners, search};
use crate::actions::keys::{KeyFilter, KeyOrder, MAX_SCOPES};
use crate::error::{Result, UserError};

/// Identifies an API key.
#[derive(Clone, Debug, OneofObject)]
pub(super) enum ApiKeyBy {
    /// By its id.
    Id(ID),
    /// By its OAuth client id.
    ClientId(String),
}

/// The kind of account that owns an API key. Values can be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "AccountKind")]
pub(super) enum OwnerKind {
    /// A person who can sign in.
    User,
    /// A service account.
    ServiceAccount,
}

/// Filters a list of API keys. All conditions must hold; a list matches any of its values.
#[derive(Clone, Debug, Default, InputObject)]
pub(super) struct ApiKeyFilter {
    /// Text contained in the name of the key or in the owner's e-mail address, handle or name, ignoring case; with
    /// fewer than three characters, the beginning of one of these. Also matches the beginning of the client id, and the
    /// four characters of a valid secret's hint (case-sensitive). At most 100 characters. While searching, the list can
    /// be sorted by `CREATED_AT` only.
    search: Option<String>,
    /// With any of these ids.
    ids: Option<Vec<ID>>,
    /// Owned by any of these users and service accounts.
    owner_ids: Option<Vec<ID>>,
    /// Owned by accounts of this kind.
    owner_kind: Option<OwnerKind>,
    /// Owned by members of any of these groups.
    group_ids: Option<Vec<ID>>,
    /// Created by any of these users and service accounts, or with any of these API keys.
    created_by_ids: Option<Vec<ID>>,
    /// With any of these statuses. If omitted, deleted keys and those of inactive owners are excluded.
    status: Option<Vec<ApiKeyStatus>>,
    /// Assigned any of these roles. A key that inherits its owner's scopes has no roles.
    role_ids: Option<Vec<ID>>,
    /// Granted any of these scopes if it were exchanged now (see `effectiveScopes`). Scope names, at most 20.
    scopes: Option<Vec<String>>,
    /// Read-only, or not.
    read_only: Option<bool>,
    /// Created before this time.
    created_before: Option<DateTime>,
    /// Created after this time.
    created_after: Option<DateTime>,
    /// With an end date before this time.
    expires_before: Option<DateTime>,
    /// Not used since this time. Includes keys that were never used, if they were created before it.
    last_used_before: Option<DateTime>,
    /// True: never used. False: used at least once.
    never_used: Option<bool>,
    /// With a current secret that was issued before this time.
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
        let message = format!("Use at most {MAX_SCOPES} scopes. This has {}.", names.len());
        return Err(UserError::invalid("scopes", message).into());
    }
    // No name has it, and PostgreSQL fails on it.
    Ok(names.into_iter().filter(|name| !name.contains('\0')).collect())
}

/// What a list of API keys can be sorted by. Values can be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "KeyOrder")]
pub(super) enum ApiKeyOrderField {
    /// When the key was created.
    CreatedAt,
    /// The name.
    Name,
    /// When the key was last used; keys that were never used come last.
    LastUsedAt,
    /// The end date; keys without one come last.
    ExpiresAt,
}

/// The sort direction. Values can be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub(super) enum OrderDirection {
    /// Smallest or earliest first.
    Asc,
    /// Largest or latest first.
    Desc,
}

/// The sort order of a list of API keys.
#[derive(Clone, Copy, Debug, InputObject)]
pub(super) struct ApiKeyOrder {
    /// The field to sort by.
    field: ApiKeyOrderField,
    /// The sort direction.
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
