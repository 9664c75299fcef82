//! Requests that may be sent again under the same `Idempotency-Key`: the second one changes nothing, and names what the
//! first one made.

use entity::KeyId;
use serde::{Deserialize, Serialize};

use super::Rest;
use crate::app::context::Context;
use crate::crypto::digest::sha256_hex;
use crate::error::{Error, Result, UserError, UserErrorCode};
use crate::store::Tx;
use crate::store::idempotency::{self, Attempt};
use crate::values::Idempotency;

/// For how long a request is remembered.
const KEPT_SECONDS: i64 = 24 * 60 * 60;

/// What a request has led to, as it is remembered.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Done {
    pub keys: Vec<KeyId>,
    pub rest: Option<Rest>,
}

/// The right to carry a request out.
#[derive(Debug)]
pub(super) struct Claim(Option<Attempt>);

/// How a request begins.
#[derive(Debug)]
pub(super) enum Beginning {
    First(Claim),
    Again(Done),
}

/// Finds out whether the same request was carried out before.
pub(super) async fn begin(cx: &Context, tx: &Tx, asked: Option<&Idempotency>) -> Result<Beginning> {
    let Some(asked) = asked else { return Ok(Beginning::First(Claim(None))) };
    let attempt = Attempt {
        actor: cx.caller.actor().ok_or(Error::Unauthenticated)?,
        key_hash: sha256_hex(asked.key.as_bytes()),
        request_hash: sha256_hex(asked.request.as_bytes()),
    };
    idempotency::forget(&**tx, cx.now.plus_seconds(-KEPT_SECONDS)).await?;
    match idempotency::claim(&**tx, &attempt, cx.now).await? {
        None => Ok(Beginning::First(Claim(Some(attempt)))),
        Some(earlier) if earlier.request_hash == attempt.request_hash => {
            let done = serde_json::from_str(&earlier.result).map_err(Error::internal)?;
            Ok(Beginning::Again(done))
        }
        Some(_) => {
            let message = "This Idempotency-Key was already used for a different request. Use a new one for \
                each request.";
            let error = UserError::invalid("", message);
            Err(UserError { code: UserErrorCode::IdempotencyKeyReused, field: Vec::new(), ..error }.into())
        }
    }
}

/// The key that the request has made has become stronger than the caller since, or somebody else's.
pub(super) fn out_of_reach(done: &Done) -> UserError {
    let message =
        "This request has already been processed, but you can no longer change the API key that it created.";
    let error = UserError::new(UserErrorCode::NotFound, "", message);
    let error = UserError { field: Vec::new(), ..error };
    match done.keys.first() {
        Some(key) => error.about(*key),
        None => error,
    }
}

impl Claim {
    /// Remembers what the request has led to, in the transaction that carries it out.
    pub(super) async fn settle(self, tx: &Tx, done: &Done) -> Result<()> {
        let Some(attempt) = self.0 else { return Ok(()) };
        let result = serde_json::to_string(done).map_err(Error::internal)?;
        idempotency::remember(&**tx, &attempt, &result).await
    }
}
