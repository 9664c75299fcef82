//! Which keys a change of many is for, and how much of it one call does.

use std::collections::HashSet;

use entity::activity::ActivityKind;
use entity::{KeyId, SelectionId};

use super::{Key, KeyFilter};
use crate::access::Reach;
use crate::app::context::Context;
use crate::error::{Error, Result, UserError, UserErrorCode};
use crate::store::selections::{self, Purpose};
use crate::store::{Tx, keys};

pub use crate::store::selections::Rest;

/// What one call does at most.
const PORTION: usize = 1000;
/// For how long the rest of a selection is kept.
const KEPT_SECONDS: i64 = 24 * 60 * 60;

/// The keys that a change is for.
#[derive(Clone, Debug)]
pub enum Selection {
    /// These, each once.
    Ids(Vec<KeyId>),
    /// All that match, if they are as many as the caller expects.
    Matching { filter: Box<KeyFilter>, expected: u64 },
    /// What an earlier call has left.
    Rest(SelectionId),
}

impl Selection {
    pub fn of(ids: impl IntoIterator<Item = KeyId>) -> Result<Self, UserError> {
        let mut seen = HashSet::new();
        let ids: Vec<KeyId> = ids.into_iter().filter(|id| seen.insert(*id)).collect();
        if ids.len() > PORTION {
            let message = format!("Select at most {PORTION} API keys at once. This selects {}.", ids.len());
            return Err(UserError::new(UserErrorCode::SelectionTooLarge, "selection", message));
        }
        Ok(Self::Ids(ids))
    }
}

/// What one call does: the keys that are there, an error for each that is not, and what is left for the next call.
#[derive(Debug)]
pub(super) struct Portion {
    pub keys: Vec<Key>,
    pub errors: Vec<UserError>,
    pub rest: Option<Rest>,
}

/// The keys to change now, held until the transaction ends.
pub(super) async fn portion(
    cx: &Context,
    tx: &Tx,
    reach: &Reach,
    (selection, verb): (&Selection, ActivityKind),
) -> Result<Portion> {
    let actor = cx.caller.actor().ok_or(Error::Unauthenticated)?;
    let purpose = Purpose { actor, verb };
    let (ids, rest) = match selection {
        Selection::Ids(ids) => (ids.clone(), None),
        Selection::Matching { filter, expected } => {
            let ids = selections::matching(&**tx, reach, filter, cx.now).await?;
            freeze(cx, tx, purpose, expected_many(ids, *expected)?).await?
        }
        Selection::Rest(id) => {
            selections::forget(&**tx, cx.now.plus_seconds(-KEPT_SECONDS)).await?;
            selections::take(&**tx, purpose, *id).await?.ok_or_else(gone)?
        }
    };
    let mut keys = keys::lock_many(&**tx, reach, &ids).await?;
    keys.retain(|key| key.deleted_at.is_none());
    let there: HashSet<KeyId> = keys.iter().map(|key| key.id).collect();
    let missing = ids.into_iter().filter(|id| !there.contains(id));
    let errors = missing.map(|id| UserError::not_found("selection", id.into())).collect();
    Ok(Portion { keys, errors, rest })
}

fn expected_many(ids: Vec<KeyId>, expected: u64) -> Result<Vec<KeyId>, UserError> {
    if ids.len() as u64 == expected {
        return Ok(ids);
    }
    let message = format!(
        "The filter matches {} API keys that you can change, not {expected}. Load the list again and retry.",
        ids.len()
    );
    Err(UserError::new(UserErrorCode::CountChanged, "selection", message))
}

/// The first portion, and the others kept as they are now for later calls.
async fn freeze(
    cx: &Context,
    tx: &Tx,
    purpose: Purpose,
    mut ids: Vec<KeyId>,
) -> Result<(Vec<KeyId>, Option<Rest>)> {
    if ids.len() <= PORTION {
        return Ok((ids, None));
    }
    selections::forget(&**tx, cx.now.plus_seconds(-KEPT_SECONDS)).await?;
    let later = ids.split_off(PORTION);
    let portions = later.chunks(PORTION);
    let names: Vec<SelectionId> = portions.clone().map(|_| SelectionId(cx.id())).collect();
    selections::keep(&**tx, purpose, portions, (&names, cx.now)).await?;
    let rest = names.first().map(|next| Rest { keys: later.len() as u64, next: *next });
    Ok((ids, rest))
}

fn gone() -> UserError {
    let message = "This continuation was already used, is older than a day, or belongs to a different mutation or caller. \
                   Start with a new selection.";
    UserError::new(UserErrorCode::NotFound, "selection", message)
}
