//! An instant: whole milliseconds since 1970 in UTC, the same on both databases and in every public answer.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Datelike as _, SecondsFormat, Utc};
use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, DeriveValueType, Serialize, Deserialize,
)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Whole seconds since 1970, as JWT claims count them.
    pub fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    #[must_use]
    pub fn plus_seconds(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds.saturating_mul(1000)))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let instant = DateTime::<Utc>::from_timestamp_millis(self.0).unwrap_or(DateTime::<Utc>::MAX_UTC);
        f.write_str(&instant.to_rfc3339_opts(SecondsFormat::Millis, true))
    }
}

impl FromStr for Timestamp {
    type Err = NotAnInstant;

    fn from_str(text: &str) -> Result<Self, NotAnInstant> {
        let instant = DateTime::parse_from_rfc3339(text).map_err(|_| NotAnInstant)?.to_utc();
        // In UTC too the year must have four digits.
        (0..=9999).contains(&instant.year()).then(|| Self(instant.timestamp_millis())).ok_or(NotAnInstant)
    }
}

/// The text is no instant as RFC 3339 writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAnInstant;

impl fmt::Display for NotAnInstant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not an instant such as 2026-11-21T09:30:00Z (RFC 3339)")
    }
}

impl std::error::Error for NotAnInstant {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_written_with_milliseconds_in_utc() {
        let instant: Timestamp = "2026-11-21T02:00:00.5+01:00".parse().unwrap();
        assert_eq!(instant.to_string(), "2026-11-21T01:00:00.500Z");
        assert_eq!(instant.plus_seconds(1).0 - instant.0, 1000);
    }

    #[test]
    fn what_rfc_3339_cannot_write_is_not_read() {
        assert!("9999-12-31T23:59:59.999Z".parse::<Timestamp>().is_ok());
        assert!("0000-01-01T00:00:00Z".parse::<Timestamp>().is_ok());
        for text in
            ["9999-12-31T23:59:59.999-12:00", "0000-01-01T00:00:00+01:00", "2026-11-21", "tomorrow", ""]
        {
            assert_eq!(text.parse::<Timestamp>(), Err(NotAnInstant), "{text}");
        }
    }
}
