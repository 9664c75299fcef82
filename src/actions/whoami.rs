//! Who the presented credential is, for whoever presents it: no scope is asked for.

use crate::access::{Action, Caller, Machine, Scopes};
use crate::app::context::Context;
use crate::error::{Error, Result};
use crate::store::accounts::{Owner, UserRow};
use crate::store::keys::Key;
use crate::store::{accounts, keys};

/// What was presented.
#[derive(Debug)]
pub enum Credential {
    /// A token of this key.
    Key { key: Box<Key>, owner: Owner, token: Machine },
    /// A sign-in, or a password.
    Person { user: UserRow, scopes: Scopes },
}

/// Whose credential it is. Its rows are in reach of every caller: its own key, its own account.
pub async fn credential(cx: &Context) -> Result<Credential> {
    let reach = cx.may(Action::ViewSelf)?;
    let account = cx.account().ok_or(Error::Unauthenticated)?;
    let db = cx.app.db.reader();
    let owner = accounts::find_many(db, &reach, &[account]).await?.pop();
    // What is gone was deleted since it was recognised.
    let owner = owner.ok_or(Error::Unauthenticated)?;
    match &cx.caller {
        Caller::Machine(token) => {
            let key = keys::find(db, &reach, token.key).await?.ok_or(Error::Unauthenticated)?;
            Ok(Credential::Key { key: Box::new(key), owner, token: token.clone() })
        }
        Caller::Person(person) => {
            let user = owner.into_user().ok_or(Error::Unauthenticated)?;
            Ok(Credential::Person { user, scopes: person.scopes.clone() })
        }
        Caller::Anonymous | Caller::Operator => Err(Error::Unauthenticated),
    }
}
