//! Which API keys a change is for: named ones, all that match a filter, or the rest of an earlier selection.

use async_graphql::{ID, InputObject, OneofObject};
use entity::SelectionId;
use uuid::Uuid;

use super::key_filter::ApiKeyFilter;
use super::scalars::parse_ids;
use crate::actions::keys::{Rest, Selection};
use crate::error::{Result, UserError};
use crate::values::description;

/// The API keys that a change is for.
#[derive(Clone, Debug, OneofObject)]
pub(super) enum ApiKeySelection {
    /// These keys; at most 1,000.
    Ids(Vec<ID>),
    /// All that match a filter. One call changes at most 1,000 of them and answers with `next` for the others.
    Matching(Box<ApiKeyMatch>),
    /// The `next` of an earlier call of the same mutation: the keys that it has not reached, as they matched then. Each
    /// is used once, by whoever got it, within a day.
    Continuation(String),
}

/// All API keys that match a filter.
#[derive(Clone, Debug, InputObject)]
pub(super) struct ApiKeyMatch {
    /// Which API keys; those that the viewer cannot change do not count.
    filter: ApiKeyFilter,
    /// How many there are: if there are more or fewer, nothing is changed.
    expected_count: i32,
}

impl ApiKeySelection {
    fn parse(self) -> Result<Selection> {
        match self {
            Self::Ids(ids) => Ok(Selection::of(parse_ids("selection", &ids)?)?),
            Self::Matching(matching) => {
                let expected = u64::try_from(matching.expected_count).map_err(|_| {
                    UserError::invalid("selection", "Give the number of API keys that match.")
                })?;
                Ok(Selection::Matching { filter: Box::new(matching.filter.parse()?), expected })
            }
            Self::Continuation(next) => {
                let id = Uuid::try_parse(&next)
                    .map_err(|_| UserError::invalid("selection", "Give the `next` of an earlier call."))?;
                Ok(Selection::Rest(SelectionId(id)))
            }
        }
    }
}

/// Which API keys, and why.
#[derive(Clone, Debug, InputObject)]
pub(super) struct ApiKeySelectionInput {
    /// Which API keys.
    selection: ApiKeySelection,
    /// Why; it goes into the activity log.
    reason: Option<String>,
}

impl ApiKeySelectionInput {
    pub(super) fn parse(self) -> Result<(Selection, Option<String>)> {
        selected(self.selection, self.reason)
    }
}

/// Which API keys, and why.
pub(super) fn selected(
    selection: ApiKeySelection,
    reason: Option<String>,
) -> Result<(Selection, Option<String>)> {
    let reason = reason.map(|text| description("reason", &text)).transpose()?.flatten();
    Ok((selection.parse()?, reason))
}

/// How payloads tell what is left: how many keys, and what to select them by.
pub(super) fn left(rest: Option<Rest>) -> (i32, Option<String>) {
    match rest {
        None => (0, None),
        Some(rest) => (i32::try_from(rest.keys).unwrap_or(i32::MAX), Some(rest.next.0.simple().to_string())),
    }
}
