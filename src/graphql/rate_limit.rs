//! What a request cost its caller, as the `RateLimit` headers say it.

use async_graphql::{Context, Object, SimpleObject};

use super::context;
use super::error::field_error;
use super::hooks::hooks;
use crate::access::Action;
use crate::app::limits::Spent;

/// The caller's rate limit for requests made with an access token, after this request. The same figures are in the
/// headers `RateLimit-Policy` and `RateLimit`.
#[derive(Clone, Copy, Debug, SimpleObject)]
pub(super) struct RateLimit {
    /// The name of the rate-limit policy: `call`.
    policy: &'static str,
    /// How many points can be used per window, and in one burst.
    limit: i32,
    /// Length of the window in seconds.
    per_seconds: i32,
    /// How many points are left.
    remaining: i32,
    /// Seconds until the full limit is available again.
    reset_seconds: i32,
    /// How many points this request cost.
    cost: i32,
}

impl From<Spent> for RateLimit {
    fn from(spent: Spent) -> Self {
        let int = |count: u64| i32::try_from(count).unwrap_or(i32::MAX);
        Self {
            policy: spent.limit.name(),
            limit: spent.quota.requests,
            per_seconds: spent.quota.per_seconds,
            remaining: int(spent.remaining),
            reset_seconds: int(spent.reset_seconds),
            cost: int(spent.cost),
        }
    }
}

#[derive(Default)]
pub(super) struct RateLimitQueries;

/// What requests cost.
#[Object]
impl RateLimitQueries {
    /// The caller's rate limit, and the cost of this request; null for callers without a limit.
    async fn rate_limit(&self, ctx: &Context<'_>) -> async_graphql::Result<Option<RateLimit>> {
        context(ctx)?.may(Action::ViewSelf).map_err(field_error)?;
        Ok(hooks(ctx)?.spent().map(Into::into))
    }
}
