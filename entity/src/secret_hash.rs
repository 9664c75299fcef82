//! What is kept of a secret: a self-describing string that says how it was made, so that schemes can change.

use std::fmt;

use sea_orm::entity::prelude::*;

/// `$hmac-sha256$v=1$k=<data key>$<mac>` for secrets made here, an Argon2 PHC string for passwords.
#[derive(Clone, PartialEq, Eq, DeriveValueType)]
pub struct SecretHash(pub String);

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash(…)")
    }
}
