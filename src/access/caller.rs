//! Who is asking. It never contains the credential: callers are logged and traced.

use entity::account::AccountKind;
use entity::{AccountId, GlobalId, KeyId, ObjectKind, ServiceAccountId, SessionId, Timestamp, UserId};

use super::Scopes;
use crate::values::Quota;

/// Who is asking.
#[derive(Clone, Debug)]
pub enum Caller {
    /// Nobody that was recognised.
    Anonymous,
    /// Whoever may run the command on the data directory: may do anything.
    Operator,
    /// An API key, through an access token.
    Machine(Machine),
    /// A person, through a sign-in.
    Person(Person),
}

/// A person who signed in.
#[derive(Clone, Debug)]
pub struct Person {
    pub user: UserId,
    /// None when the request came with the password itself.
    pub session: Option<SessionId>,
    /// What the person holds now.
    pub scopes: Scopes,
}

/// An API key that presented a valid access token.
#[derive(Clone, Debug)]
pub struct Machine {
    pub key: KeyId,
    pub owner: AccountId,
    pub owner_kind: AccountKind,
    /// What the token was granted and the key can still be granted now.
    pub scopes: Scopes,
    pub read_only: bool,
    /// When the token ends.
    pub ends: Timestamp,
    /// What its requests may cost.
    pub call_limit: Quota,
}

impl Caller {
    /// Whether the caller holds the scope.
    pub fn holds(&self, scope: &str) -> bool {
        match self {
            Self::Anonymous => false,
            Self::Operator => true,
            Self::Machine(machine) => machine.scopes.has(scope),
            Self::Person(person) => person.scopes.has(scope),
        }
    }

    /// Those of `wanted` that the caller does not hold, and so can neither obtain nor give.
    pub fn lacks(&self, wanted: &Scopes) -> Scopes {
        match self {
            Self::Anonymous => wanted.clone(),
            Self::Operator => Scopes::default(),
            Self::Machine(machine) => wanted.without(&machine.scopes),
            Self::Person(person) => wanted.without(&person.scopes),
        }
    }

    /// Whether the caller is barred from changing anything.
    pub fn is_read_only(&self) -> bool {
        matches!(self, Self::Machine(machine) if machine.read_only)
    }

    /// How the log names the caller.
    pub fn actor(&self) -> Option<GlobalId> {
        match self {
            Self::Anonymous => None,
            Self::Operator => Some(GlobalId { kind: ObjectKind::System, uuid: uuid::Uuid::nil() }),
            Self::Machine(machine) => Some(machine.key.into()),
            Self::Person(person) => Some(person.user.into()),
        }
    }
}

impl Machine {
    /// The owner, under the kind of account that it is.
    pub fn owner_id(&self) -> GlobalId {
        match self.owner_kind {
            AccountKind::User => UserId(self.owner.0).into(),
            AccountKind::ServiceAccount => ServiceAccountId(self.owner.0).into(),
        }
    }
}
