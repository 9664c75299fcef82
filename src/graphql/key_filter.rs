//! Which API keys, and in which order: the inputs of their lists.

use async_graphql::{Enum, ID, InputObject, OneofObject};
use entity::account::AccountKind;

use super::keys::ApiKeyStatus;
use super::scalars::{DateTime, parse_ids, parse_owners};
use crate::actions::keys::{KeyFilter, KeyOrder};
use crate::error::Result;

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
    /// With these ids.
    ids: Option<Vec<ID>>,
    /// Of these users and service accounts.
    owner_ids: Option<Vec<ID>>,
    /// Of users, or of service accounts.
    owner_kind: Option<OwnerKind>,
    /// In any of these states. Left out, deleted keys and those of inactive owners do not appear.
    status: Option<Vec<ApiKeyStatus>>,
    /// Read-only or not.
    read_only: Option<bool>,
    /// Made before this.
    created_before: Option<DateTime>,
    /// Made after this.
    created_after: Option<DateTime>,
    /// With an end before this.
    expires_before: Option<DateTime>,
}

impl ApiKeyFilter {
    pub(super) fn parse(self) -> Result<KeyFilter> {
        Ok(KeyFilter {
            ids: self.ids.map(|ids| parse_ids("ids", &ids)).transpose()?,
            owners: self.owner_ids.map(|ids| parse_owners("ownerIds", &ids)).transpose()?,
            owner_kind: self.owner_kind.map(Into::into),
            status: self.status.map(|wanted| wanted.into_iter().map(Into::into).collect()),
            read_only: self.read_only,
            created_before: self.created_before.map(|instant| instant.0),
            created_after: self.created_after.map(|instant| instant.0),
            expires_before: self.expires_before.map(|instant| instant.0),
        })
    }
}

/// What a list of API keys is ordered by. Values can be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "KeyOrder")]
pub(super) enum ApiKeyOrderField {
    /// The time of creation.
    CreatedAt,
    /// The name.
    Name,
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
