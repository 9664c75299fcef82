//! Rate limits in bounded memory, for callers that differ and for callers that have not said who they are.
//!
//! The promise: a quota may change at any moment and never grants a new burst, a refused request costs nothing, and
//! nobody's requests use up somebody else's quota.
//!
//! * [`Buckets`]: one GCRA state for each key, under a quota that is passed with each request.
//! * [`Attempts`]: one fixed quota for everybody, by network or by whatever names who tries, on [governor].
//!
//! Time is an argument: `now` is the time passed since some moment in the past, and never goes back.

mod attempts;
mod bucket;
mod network;

pub use attempts::Attempts;
pub use bucket::{Bucket, Buckets, Charge, Quota};
pub use network::network;
