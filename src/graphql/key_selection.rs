//! Which API keys a change is for: named ones, all that match a filter, or the rest of an earlier selection.

use async_graphql::{ID, InputObject, OneofObject};
use entity::SelectionId;
use uuid::Uuid;

use super::key_filter::ApiKeyFilter;
use super::scalars::parse_ids;
use crate::actions::keys::{Rest, Selection};
use crate::error::{Result, UserError};
use crate::values::description;

/// Selects the API keys to change.
#[derive(Clone, Debug, OneofObject)]
pub(super) enum ApiKeySelection {
    /// The keys with these ids; at most 1,000.
    Ids(Vec<ID>),
    /// All keys that match a filter. One call changes at most 1,000 of them; the payload has `next` for the rest.
    Matching(Box<ApiKeyMatch>),
    /// The `next` from an earlier call of the same mutation: selects the remaining keys, as they matched then. It can
    /// be used once, by the same caller, within 24 hours.
    Continuation(String),
}

/// All API keys that match a filter.
#[derive(Clone, Debug, InputObject)]
pub(super) struct ApiKeyMatch {
    /// Filters the API keys. Keys that the caller cannot change are not selected.
    filter: ApiKeyFilter,
    /// The expected number of matches. If it differs, nothing is changed and the error is `COUNT_CHANGED`.
    expected_count: i32,
}

impl ApiKeySelection {
    fn parse(self) -> Result<Selection> {
        match self {
            Self::Ids(ids) => Ok(Selection::of(parse_ids("selection", &ids)?)?),
            Self::Matching(matching) => {
                let expected = u64::try_from(matching.expected_count).map_err(|_| {
                    UserError::invalid(
                        "selection",
                        "`expectedCount` must be the number of API keys that match, at least 0.",
                    )
                })?;
                Ok(Selection::Matching { filter: Box::new(matching.filter.parse()?), expected })
            }
            Self::Continuation(next) => {
                let id = Uuid::try_parse(&next).map_err(|_| {
                    UserError::invalid("selection", "`continuation` must be the `next` of an earlier call.")
                })?;
                Ok(Selection::Rest(SelectionId(id)))
            }
        }
    }
}

/// Selected API keys, and the reason for the change.
#[derive(Clone, Debug, InputObject)]
pub(super) struct ApiKeySelectionInput {
    /// The API keys to change.
    selection: ApiKeySelection,
    /// The reason, recorded in the activity log.
    reason: Option<String>,
}

impl ApiKeySelectionInput {
    pub(super) fn parse(self) -> Result<(Selection, Option<String>)> {
        selected(self.selection, self.reason)
    }
}

/// Selected API keys, and the reason for the change.
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
