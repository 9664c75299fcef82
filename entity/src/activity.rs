//! The log: one row an event, in four families. Rows are only ever added, and end with their retention.

use sea_orm::Iterable;
use sea_orm::entity::prelude::*;

use crate::{AccountId, ActivityId, KeyId, ObjectKind, Timestamp};

/// What happened. The hundreds of the stored number are the family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "i16", db_type = "SmallInteger")]
pub enum ActivityKind {
    #[sea_orm(num_value = 101)]
    KeyCreated,
    #[sea_orm(num_value = 102)]
    KeyUpdated,
    #[sea_orm(num_value = 103)]
    KeyEnabled,
    #[sea_orm(num_value = 104)]
    KeyDisabled,
    #[sea_orm(num_value = 105)]
    KeyDeleted,
    #[sea_orm(num_value = 106)]
    SecretRegenerated,
    #[sea_orm(num_value = 107)]
    RotationFinished,
    #[sea_orm(num_value = 108)]
    KeyApproved,
    #[sea_orm(num_value = 109)]
    KeyRejected,
    #[sea_orm(num_value = 121)]
    UserCreated,
    #[sea_orm(num_value = 122)]
    UserUpdated,
    #[sea_orm(num_value = 123)]
    UserDeactivated,
    #[sea_orm(num_value = 124)]
    UserReactivated,
    #[sea_orm(num_value = 125)]
    PasswordChanged,
    #[sea_orm(num_value = 131)]
    ServiceAccountCreated,
    #[sea_orm(num_value = 132)]
    ServiceAccountUpdated,
    #[sea_orm(num_value = 133)]
    ServiceAccountDeleted,
    #[sea_orm(num_value = 141)]
    GroupCreated,
    #[sea_orm(num_value = 142)]
    GroupUpdated,
    #[sea_orm(num_value = 143)]
    GroupDeleted,
    #[sea_orm(num_value = 151)]
    RoleCreated,
    #[sea_orm(num_value = 152)]
    RoleUpdated,
    #[sea_orm(num_value = 153)]
    RoleDeleted,
    #[sea_orm(num_value = 161)]
    ApiCreated,
    #[sea_orm(num_value = 162)]
    ApiUpdated,
    #[sea_orm(num_value = 163)]
    ApiDeleted,
    #[sea_orm(num_value = 171)]
    ScopeCreated,
    #[sea_orm(num_value = 172)]
    ScopeUpdated,
    #[sea_orm(num_value = 173)]
    ScopeDeleted,
    #[sea_orm(num_value = 181)]
    SettingsUpdated,
    #[sea_orm(num_value = 191)]
    SigningKeyRotated,
    #[sea_orm(num_value = 201)]
    TokenIssued,
    #[sea_orm(num_value = 202)]
    TokenRefused,
    #[sea_orm(num_value = 203)]
    TokenRevoked,
    #[sea_orm(num_value = 301)]
    SignedIn,
    #[sea_orm(num_value = 302)]
    SignInRefused,
    #[sea_orm(num_value = 303)]
    SignedOut,
}

/// The four families of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter)]
pub enum ActivityFamily {
    Change,
    Token,
    SignIn,
    Call,
}

impl ActivityKind {
    pub fn family(self) -> ActivityFamily {
        match self.into_value() / 100 {
            1 => ActivityFamily::Change,
            2 => ActivityFamily::Token,
            3 => ActivityFamily::SignIn,
            _ => ActivityFamily::Call,
        }
    }
}

/// How it ended: one closed set, the same in token errors, GraphQL `extensions.code` and the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "i16", db_type = "SmallInteger")]
pub enum Outcome {
    #[sea_orm(num_value = 0)]
    Ok,
    #[sea_orm(num_value = 1)]
    BadSecret,
    #[sea_orm(num_value = 2)]
    UnknownClient,
    #[sea_orm(num_value = 3)]
    Disabled,
    #[sea_orm(num_value = 4)]
    Expired,
    #[sea_orm(num_value = 5)]
    Deleted,
    #[sea_orm(num_value = 6)]
    OwnerInactive,
    #[sea_orm(num_value = 7)]
    UseNotPermitted,
    #[sea_orm(num_value = 8)]
    Pending,
    #[sea_orm(num_value = 9)]
    InvalidScope,
    #[sea_orm(num_value = 10)]
    InvalidTarget,
    #[sea_orm(num_value = 11)]
    RateLimited,
    #[sea_orm(num_value = 12)]
    NetworkNotAllowed,
    #[sea_orm(num_value = 13)]
    PasswordAccessOff,
}

impl Outcome {
    /// Every outcome, in the order of its number.
    pub fn all() -> impl Iterator<Item = Self> {
        <Self as Iterable>::iter()
    }
}

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "activity")]
pub struct Model {
    /// Time-ordered: the order of ids is the order of the log.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ActivityId,
    pub at: Timestamp,
    pub kind: ActivityKind,
    pub outcome: Outcome,
    /// Who did it; null when nobody was recognised.
    pub actor_kind: Option<ObjectKind>,
    pub actor_id: Option<Uuid>,
    pub key_id: Option<KeyId>,
    /// The account that the event concerns: it may read the row with its own activity.
    pub owner_id: Option<AccountId>,
    pub target_kind: Option<ObjectKind>,
    pub target_id: Option<Uuid>,
    pub ip: Option<String>,
    pub user_agent: Option<String>,
    pub request_id: Option<String>,
    /// The `jti` of the token that was issued, refused or revoked.
    pub token_id: Option<String>,
    /// How many events this row stands for.
    pub count: i64,
    /// JSON: before and after of a change, the reason of a refusal. Never a secret.
    pub detail: Option<String>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
