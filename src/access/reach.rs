//! Permission as a value: what was granted, and which rows it covers.

use entity::{AccountId, KeyId};

use super::{Action, Scopes};

/// Proof that an action was granted, and the rows that it covers. Only `permissions` makes one, and every query on owned
/// rows demands one: code that forgot to ask does not compile.
#[derive(Clone, Debug)]
pub struct Reach {
    action: Action,
    rows: Rows,
}

/// The rows that a granted action covers.
#[derive(Clone, Debug)]
pub enum Rows {
    All,
    Own(OwnRows),
}

/// The rows of one account.
#[derive(Clone, Debug)]
pub struct OwnRows {
    pub account: AccountId,
    /// None for a person who signed in.
    pub through: Option<ThroughKey>,
}

/// A key that asks.
#[derive(Clone, Debug)]
pub struct ThroughKey {
    /// It sees itself, whatever its token was narrowed to.
    pub key: KeyId,
    /// Through a key, "own keys" are those that grant nothing beyond this.
    pub no_stronger_than: Scopes,
}

impl Reach {
    pub(in crate::access) fn new(action: Action, rows: Rows) -> Self {
        Self { action, rows }
    }

    pub fn action(&self) -> Action {
        self.action
    }

    pub fn rows(&self) -> &Rows {
        &self.rows
    }
}
