//! The file against the server: what it refers to is there, and what came with the server stays as it is.

use std::collections::HashSet;

use super::file::{Api, Group, Problem, Reference, Role, Wanted, shown};
use super::state::State;

/// All that is wrong with the file on this server, in the order of its lines.
pub(super) fn problems(wanted: &Wanted, state: &State) -> Vec<Problem> {
    let mut found = Vec::new();
    wanted.apis.iter().for_each(|api| check_api(api, state, &mut found));
    let ours = wanted.apis.iter().flat_map(|api| &api.scopes).map(|scope| scope.name.as_str());
    let scopes = state.scopes.iter().map(|scope| &*scope.name).chain(ours).collect();
    for role in &wanted.roles {
        check_role(role, state, &mut found);
        check_references("scope", &role.scopes, &scopes, &mut found);
    }
    let ours = wanted.roles.iter().map(|role| role.name.as_str());
    let roles = state.roles.iter().map(|role| &*role.name).chain(ours).collect();
    for Group { roles: references, .. } in &wanted.groups {
        check_references("role", references, &roles, &mut found);
    }
    found.sort();
    found
}

fn check_api(wanted: &Api, state: &State, found: &mut Vec<Problem>) {
    let there = state.apis.iter().find(|api| api.identifier == wanted.identifier);
    if there.is_some_and(|api| api.built_in) {
        let text = format!(
            "{} is Latchkey's own API, which cannot be changed. Roles can use its scopes without it being \
                in the file.",
            wanted.identifier
        );
        found.push(Problem::new(wanted.line, text));
        return;
    }
    for scope in &wanted.scopes {
        let Some(row) = state.scopes.iter().find(|row| row.name == scope.name.as_str()) else { continue };
        if there.is_none_or(|api| api.id != row.api_id) {
            let owner = state.apis.iter().find(|api| api.id == row.api_id);
            let owner = owner.map_or("another API", |api| &*api.identifier);
            let text =
                format!("The scope {} belongs to {owner}. A scope cannot be moved to another API.", row.name);
            found.push(Problem::new(scope.line, text));
        }
    }
}

fn check_role(wanted: &Role, state: &State, found: &mut Vec<Problem>) {
    let name = wanted.name.as_str();
    if state.roles.iter().any(|role| role.built_in && role.name == name) {
        let text = format!("The role {name} is built in and cannot be changed. Choose another name.");
        found.push(Problem::new(wanted.line, text));
    }
}

fn check_references(what: &str, list: &[Reference], known: &HashSet<&str>, found: &mut Vec<Problem>) {
    for reference in list.iter().filter(|reference| !known.contains(&*reference.name)) {
        let text =
            format!("There is no {what} {}, neither on the server nor in this file.", shown(&reference.name));
        found.push(Problem::new(reference.line, text));
    }
}
