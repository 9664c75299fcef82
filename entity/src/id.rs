//! Ids: 128 bits, time-ordered (UUID version 7), one type a table, so that a key's id is never passed for an account's.
//!
//! In public an id reads `key_01j9…`: a prefix for the kind of object and 26 characters of Crockford base32.

use std::fmt;
use std::str::FromStr;

use sea_orm::entity::prelude::*;
use sea_orm::{Iterable, TryFromU64};
use serde::{Deserialize, Serialize};

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const ENCODED_LENGTH: usize = 26;

/// What an id names. The number is what the activity log stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "i16", db_type = "SmallInteger")]
pub enum ObjectKind {
    /// Latchkey itself; it has no id.
    #[sea_orm(num_value = 0)]
    System,
    #[sea_orm(num_value = 1)]
    User,
    #[sea_orm(num_value = 2)]
    ServiceAccount,
    #[sea_orm(num_value = 3)]
    ApiKey,
    #[sea_orm(num_value = 4)]
    Group,
    #[sea_orm(num_value = 5)]
    Role,
    #[sea_orm(num_value = 6)]
    Api,
    #[sea_orm(num_value = 7)]
    Scope,
    #[sea_orm(num_value = 8)]
    Activity,
    #[sea_orm(num_value = 9)]
    SigningKey,
    #[sea_orm(num_value = 10)]
    Settings,
}

impl ObjectKind {
    /// The part of a public id before the underscore.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::ServiceAccount => "svc",
            Self::ApiKey => "key",
            Self::Group => "group",
            Self::Role => "role",
            Self::Api => "api",
            Self::Scope => "scope",
            Self::Activity => "act",
            Self::SigningKey => "sig",
            Self::Settings => "settings",
        }
    }

    fn from_prefix(prefix: &str) -> Option<Self> {
        Self::iter().find(|kind| kind.prefix() == prefix)
    }
}

/// An id of any kind: what `node(id:)` takes and what the log names as actor or target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GlobalId {
    pub kind: ObjectKind,
    pub uuid: Uuid,
}

impl fmt::Display for GlobalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", self.kind.prefix(), encode(self.uuid))
    }
}

impl FromStr for GlobalId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (prefix, encoded) = text.rsplit_once('_').ok_or(ParseIdError)?;
        let kind = ObjectKind::from_prefix(prefix).ok_or(ParseIdError)?;
        let uuid = decode(encoded).ok_or(ParseIdError)?;
        Ok(Self { kind, uuid })
    }
}

/// The text is not an id of the kind that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseIdError;

impl fmt::Display for ParseIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not an id of this kind")
    }
}

impl std::error::Error for ParseIdError {}

fn encode(uuid: Uuid) -> String {
    let bits = uuid.as_u128();
    (0..ENCODED_LENGTH).rev().map(|place| char::from(ALPHABET[(bits >> (place * 5)) as usize & 31])).collect()
}

fn decode(text: &str) -> Option<Uuid> {
    // 26 characters hold 130 bits: the first may only use three of its five.
    if text.len() != ENCODED_LENGTH || !matches!(text.as_bytes()[0], b'0'..=b'7') {
        return None;
    }
    text.bytes()
        .try_fold(0_u128, |bits, byte| {
            let digit = ALPHABET.iter().position(|letter| *letter == byte)?;
            Some(bits << 5 | digit as u128)
        })
        .map(Uuid::from_u128)
}

macro_rules! id_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, DeriveValueType, Serialize, Deserialize,
        )]
        pub struct $name(pub Uuid);

        impl TryFromU64 for $name {
            fn try_from_u64(_: u64) -> Result<Self, DbErr> {
                Err(DbErr::ConvertFromU64(stringify!($name)))
            }
        }
    };
    ($(#[$doc:meta])* $name:ident, $kind:ident) => {
        id_type!($(#[$doc])* $name);

        impl From<$name> for GlobalId {
            fn from(id: $name) -> Self {
                Self { kind: ObjectKind::$kind, uuid: id.0 }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                GlobalId::from(*self).fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text.parse()? {
                    GlobalId { kind: ObjectKind::$kind, uuid } => Ok(Self(uuid)),
                    GlobalId { .. } => Err(ParseIdError),
                }
            }
        }
    };
}

id_type!(
    /// A user or a service account: whatever may own keys.
    AccountId
);
id_type!(UserId, User);
id_type!(ServiceAccountId, ServiceAccount);
id_type!(KeyId, ApiKey);
id_type!(GroupId, Group);
id_type!(RoleId, Role);
id_type!(ApiId, Api);
id_type!(ScopeId, Scope);
id_type!(ActivityId, Activity);
id_type!(SigningKeyId, SigningKey);
id_type!(
    /// One secret of a key; never shown.
    SecretId
);
id_type!(
    /// One portion of a change of many keys.
    SelectionId
);
id_type!(
    /// One sign-in; never shown.
    SessionId
);

impl From<UserId> for AccountId {
    fn from(id: UserId) -> Self {
        Self(id.0)
    }
}

impl From<ServiceAccountId> for AccountId {
    fn from(id: ServiceAccountId) -> Self {
        Self(id.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_survives_the_round_trip() {
        let id = KeyId(Uuid::from_u128(0x0193_4b1c_0000_7000_8000_0000_0000_0001));
        let text = id.to_string();
        assert_eq!(text, "key_01jd5hr000e008000000000001");
        assert_eq!(text.parse(), Ok(id));
    }

    #[test]
    fn another_kind_another_length_and_other_letters_are_refused() {
        let user = UserId(Uuid::from_u128(7)).to_string();
        assert_eq!(user.parse::<KeyId>(), Err(ParseIdError));
        for text in
            ["", "key", "key_", "key_0", "key_8zzzzzzzzzzzzzzzzzzzzzzzzz", "key_0000000000000000000000000u"]
        {
            assert_eq!(text.parse::<KeyId>(), Err(ParseIdError), "{text}");
        }
    }

    #[test]
    fn the_largest_value_fits() {
        let id = RoleId(Uuid::from_u128(u128::MAX));
        assert_eq!(id.to_string(), "role_7zzzzzzzzzzzzzzzzzzzzzzzzz");
        assert_eq!(id.to_string().parse(), Ok(id));
    }
}
