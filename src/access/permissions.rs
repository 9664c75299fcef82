//! Permissions: which scope grants which action, and on which rows. One exhaustive match; a snapshot prints it whole.

use super::builtin::{
    ACTIVITY_READ, ACTIVITY_READ_ANY, KEYS_CREATE_ANY, KEYS_READ, KEYS_READ_ANY, KEYS_WRITE, KEYS_WRITE_ANY,
    ROLES_READ, SCOPES_READ, TOKENS_INTROSPECT,
};
use super::{Action, Caller, OwnRows, Reach, Rows, Scopes, ThroughKey};
use crate::error::{Error, Result};

/// What an action asks of its caller.
#[derive(Clone, Copy, Debug)]
pub enum Requirement {
    /// Any valid credential.
    Credential,
    /// This scope; there is no ownership.
    Scope(&'static str),
    /// Nothing for one's own account, this scope for all.
    SelfOr(&'static str),
    /// The first scope for one's own rows, the second for all; the second implies the first.
    Owned { own: &'static str, any: &'static str },
}

/// What an action asks of its caller.
pub fn requirement(action: Action) -> Requirement {
    match action {
        Action::ViewSelf | Action::EditSelf => Requirement::Credential,
        Action::ViewKeys => Requirement::Owned { own: KEYS_READ, any: KEYS_READ_ANY },
        Action::CreateKey => Requirement::Owned { own: KEYS_WRITE, any: KEYS_WRITE_ANY },
        Action::CreateKeyForOthers | Action::PreviewKeyForOthers => Requirement::Scope(KEYS_CREATE_ANY),
        Action::UpdateKey
        | Action::RegenerateSecrets
        | Action::FinishRotation
        | Action::EnableKeys
        | Action::DisableKeys
        | Action::DeleteKeys => Requirement::Owned { own: KEYS_WRITE, any: KEYS_WRITE_ANY },
        Action::ApproveKeys | Action::RejectKeys => Requirement::Scope(KEYS_WRITE_ANY),
        Action::ViewRoles => Requirement::Scope(ROLES_READ),
        Action::ViewScopes => Requirement::Scope(SCOPES_READ),
        Action::ViewActivity => Requirement::Owned { own: ACTIVITY_READ, any: ACTIVITY_READ_ANY },
        Action::ViewUsers => Requirement::SelfOr("users:read"),
        Action::ViewServiceAccounts => Requirement::SelfOr("service-accounts:read"),
        Action::ViewGroups => Requirement::Scope("groups:read"),
        Action::ViewSettings => Requirement::Scope("settings:read"),
        Action::EditUsers => Requirement::Scope("users:write"),
        Action::EditServiceAccounts => Requirement::Scope("service-accounts:write"),
        Action::EditGroups => Requirement::Scope("groups:write"),
        Action::EditRoles => Requirement::Scope("roles:write"),
        Action::EditScopes => Requirement::Scope("scopes:write"),
        Action::EditSettings => Requirement::Scope("settings:write"),
        Action::IntrospectTokens => Requirement::Scope(TOKENS_INTROSPECT),
    }
}

/// Grants the action, with the rows that it covers, or says what is missing.
pub fn decide(action: Action, caller: &Caller) -> Result<Reach> {
    match caller {
        Caller::Anonymous => Err(Error::Unauthenticated),
        Caller::Operator => Ok(Reach::new(action, Rows::All)),
        Caller::Machine(machine) if machine.read_only && action.changes() => Err(Error::ReadOnly),
        Caller::Machine(machine) => {
            let through = ThroughKey { key: machine.key, no_stronger_than: machine.scopes.clone() };
            let own = OwnRows { account: machine.owner, through: Some(through) };
            Ok(Reach::new(action, rows(requirement(action), &machine.scopes, &own)?))
        }
        Caller::Person(person) => {
            let own = OwnRows { account: person.user.into(), through: None };
            Ok(Reach::new(action, rows(requirement(action), &person.scopes, &own)?))
        }
    }
}

fn rows(requirement: Requirement, held: &Scopes, own: &OwnRows) -> Result<Rows> {
    let own = || Rows::Own(own.clone());
    match requirement {
        Requirement::Credential => Ok(own()),
        Requirement::SelfOr(scope) if held.has(scope) => Ok(Rows::All),
        Requirement::SelfOr(_) => Ok(own()),
        Requirement::Scope(scope) if held.has(scope) => Ok(Rows::All),
        Requirement::Scope(scope) => Err(Error::Denied { required: vec![scope] }),
        Requirement::Owned { any, .. } if held.has(any) => Ok(Rows::All),
        Requirement::Owned { own: scope, .. } if held.has(scope) => Ok(own()),
        Requirement::Owned { own, any } => Err(Error::Denied { required: vec![own, any] }),
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use entity::account::AccountKind;
    use entity::{AccountId, KeyId, Timestamp};
    use uuid::Uuid;

    use super::*;
    use crate::access::Machine;
    use crate::access::builtin::{Grants, ROLES, SCOPES};
    use crate::values::Quota;

    fn machine(role: &crate::access::builtin::BuiltInRole, read_only: bool) -> Caller {
        let names = match role.grants {
            Grants::Everything => SCOPES.iter().map(|scope| scope.name).collect(),
            grants => grants.names(),
        };
        Caller::Machine(Machine {
            key: KeyId(Uuid::nil()),
            owner: AccountId(Uuid::nil()),
            owner_kind: AccountKind::User,
            scopes: names.into_iter().map(str::to_owned).collect::<Scopes>(),
            read_only,
            ends: Timestamp(0),
            call_limit: Quota { requests: 1, per_seconds: 1 },
        })
    }

    fn cell(action: Action, caller: &Caller) -> &'static str {
        match decide(action, caller).map(|reach| reach.rows().clone()) {
            Ok(Rows::All) => "all",
            Ok(Rows::Own(_)) => "own",
            Err(_) => "-",
        }
    }

    #[test]
    fn every_permission() {
        let mut table = format!("{:<20}", "");
        for role in &ROLES {
            write!(table, "{:<13}", role.name).unwrap();
        }
        table.push_str("read-only admin\n");
        for action in Action::ALL {
            write!(table, "{:<20}", format!("{action:?}")).unwrap();
            for role in &ROLES {
                write!(table, "{:<13}", cell(action, &machine(role, false))).unwrap();
            }
            writeln!(table, "{}", cell(action, &machine(&ROLES[0], true))).unwrap();
        }
        insta::assert_snapshot!(table);
    }

    #[test]
    fn nobody_may_do_nothing() {
        for action in Action::ALL {
            assert!(matches!(decide(action, &Caller::Anonymous), Err(Error::Unauthenticated)));
        }
    }
}
