//! What there is in the model, and what its steps answer.

use entity::activity::{ActivityKind, Outcome};

use super::step::Set;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Pending,
    Enabled,
    Disabled,
    Deleted,
}

/// Users come first; the last owner is a service account.
#[derive(Clone, Debug)]
pub struct User {
    pub active: bool,
    pub roles: Set,
    pub member: bool,
}

#[derive(Clone, Debug)]
pub struct Key {
    pub owner: usize,
    pub state: State,
    pub inherits: bool,
    pub roles: Set,
    pub scopes: Set,
    pub read_only: bool,
    pub end: Option<i64>,
    /// How many secrets it ever had. They are told by their number.
    pub secrets: usize,
    /// The last of them, if it has any.
    pub current: Option<usize>,
    /// With its end.
    pub previous: Option<(usize, i64)>,
    pub log: Vec<(ActivityKind, Outcome)>,
}

#[derive(Clone, Debug)]
pub struct Token {
    pub key: usize,
    pub scopes: Set,
    /// In seconds.
    pub end: i64,
    pub alive: bool,
}

/// What a step answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Nothing,
    /// The code of the only user error.
    Mistake(&'static str),
    /// The keys that it was done to, or that were so already; and the codes of the user errors of others.
    Changed {
        keys: Vec<usize>,
        mistakes: Vec<(usize, &'static str)>,
    },
    /// With its lifetime in seconds.
    Token {
        scopes: Set,
        lifetime: i64,
    },
    NoToken(Outcome),
    Held(Set),
    /// The status or code that refuses a call.
    Refused(&'static str),
}

/// How a key shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    pub status: String,
    pub read_only: bool,
    pub inherits: bool,
    pub effective: Set,
    /// The ends of its usable secrets, in milliseconds; of a deleted key nothing is said.
    pub secrets: Vec<Option<i64>>,
}
