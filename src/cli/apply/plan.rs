//! The difference between the file and the server, as steps in an order in which each finds what it needs.

use std::collections::BTreeSet;

use entity::scope::ScopeKind;
use entity::{ApiId, GroupId, RoleId, ScopeId};

use super::file::{self, Reference, Wanted, shown};
use super::state::State;
use crate::actions::apis::{ApiChanges, NewApi};
use crate::actions::roles::{NewRole, RoleChanges};
use crate::actions::scopes::ScopeChanges;
use crate::values::ScopeName;

/// What is to be done.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub steps: Vec<Step>,
    /// The groups that lose a role which grants everything, with their lines in the file.
    pub stripped: Vec<(usize, GroupId)>,
    /// The groups that gain one.
    pub raised: Vec<GroupId>,
}

/// One change, and the line that tells it.
#[derive(Debug)]
pub(super) struct Step {
    pub told: String,
    pub change: Change,
}

/// What has no id yet is called by its name.
#[derive(Debug)]
pub(super) enum Change {
    CreateApi(NewApi),
    UpdateApi { id: ApiId, version: i32, changes: ApiChanges },
    CreateScope { api: String, name: ScopeName, kind: ScopeKind, description: Option<String> },
    UpdateScope { id: ScopeId, changes: ScopeChanges },
    CreateRole(NewRole),
    UpdateRole { id: RoleId, version: i32, changes: RoleChanges },
    CreateGroup(file::Group),
    UpdateGroup { id: GroupId, version: i32, changes: GroupDifference },
}

/// What changes in a group: outer `None` leaves a property as it is.
#[derive(Debug)]
pub(super) struct GroupDifference {
    pub description: Option<Option<String>>,
    /// The names of all its roles.
    pub roles: Option<Vec<String>>,
}

/// Compares a file that was checked against this state.
pub(super) fn plan(wanted: Wanted, state: &State) -> Plan {
    let mut plan = Plan::default();
    let mut scopes = Vec::new();
    for mut api in wanted.apis {
        let of_api = std::mem::take(&mut api.scopes);
        scopes.extend(of_api.into_iter().filter_map(|wanted| scope(&api.identifier, wanted, state)));
        plan.steps.extend(self::api(api, state));
    }
    plan.steps.append(&mut scopes);
    plan.steps.extend(wanted.roles.into_iter().filter_map(|wanted| role(wanted, state)));
    let mut stripping = Vec::new();
    for wanted in wanted.groups {
        let stripped = plan.stripped.len();
        let step = group(wanted, state, &mut plan);
        // Last, so that somebody holds everything at each moment.
        let steps = if plan.stripped.len() > stripped { &mut stripping } else { &mut plan.steps };
        steps.extend(step);
    }
    plan.steps.append(&mut stripping);
    plan
}

fn api(wanted: file::Api, state: &State) -> Option<Step> {
    let shown = format!("API {}", shown(&wanted.identifier));
    let Some(now) = state.apis.iter().find(|api| api.identifier == wanted.identifier) else {
        let file::Api { identifier, name, description, .. } = wanted;
        return Some(Step::create(&shown, Change::CreateApi(NewApi { identifier, name, description })));
    };
    let mut difference = Difference::default();
    let name = difference.text("name", Some(&now.name), Some(wanted.name.as_str()));
    let description =
        difference.text("description", now.description.as_deref(), wanted.description.as_deref());
    let changes = ApiChanges {
        identifier: None,
        name: name.then_some(wanted.name),
        description: description.then_some(wanted.description),
    };
    difference.step(&shown, Change::UpdateApi { id: now.id, version: now.version, changes })
}

fn scope(api: &str, wanted: file::Scope, state: &State) -> Option<Step> {
    let shown = format!("scope {}", wanted.name.as_str());
    let Some(now) = state.scopes.iter().find(|scope| scope.name == wanted.name.as_str()) else {
        let file::Scope { name, kind, description, .. } = wanted;
        return Some(Step::create(
            &shown,
            Change::CreateScope { api: api.to_owned(), name, kind, description },
        ));
    };
    let mut difference = Difference::default();
    let kind = difference.kind(now.kind, wanted.kind);
    let description =
        difference.text("description", now.description.as_deref(), wanted.description.as_deref());
    let changes = ScopeChanges {
        kind: kind.then_some(wanted.kind),
        description: description.then_some(wanted.description),
    };
    difference.step(&shown, Change::UpdateScope { id: now.id, changes })
}

fn role(wanted: file::Role, state: &State) -> Option<Step> {
    let shown = format!("role {}", shown(wanted.name.as_str()));
    let scopes = names(&wanted.scopes);
    let Some(now) = state.roles.iter().find(|role| role.name == wanted.name.as_str()) else {
        let file::Role { name, description, .. } = wanted;
        let scopes = Vec::from_iter(scopes);
        return Some(Step::create(&shown, Change::CreateRole(NewRole { name, description, scopes })));
    };
    let none = BTreeSet::new();
    let mut difference = Difference::default();
    let regranted = difference.set("scopes", state.scopes_of.get(&now.id).unwrap_or(&none), &scopes);
    let description =
        difference.text("description", now.description.as_deref(), wanted.description.as_deref());
    let changes = RoleChanges {
        name: None,
        description: description.then_some(wanted.description),
        scopes: regranted.then(|| Vec::from_iter(scopes)),
    };
    difference.step(&shown, Change::UpdateRole { id: now.id, version: now.version, changes })
}

fn group(wanted: file::Group, state: &State, plan: &mut Plan) -> Option<Step> {
    let shown = format!("group {}", shown(wanted.name.as_str()));
    let Some(now) = state.groups.iter().find(|group| group.name == wanted.name.as_str()) else {
        return Some(Step::create(&shown, Change::CreateGroup(wanted)));
    };
    let roles = names(&wanted.roles);
    let none = BTreeSet::new();
    let before = state.roles_of.get(&now.id).unwrap_or(&none);
    match (grant_everything(before, state), grant_everything(&roles, state)) {
        (true, false) => plan.stripped.push((wanted.line, now.id)),
        (false, true) => plan.raised.push(now.id),
        (true, true) | (false, false) => {}
    }
    let mut difference = Difference::default();
    let regranted = difference.set("roles", before, &roles);
    let description =
        difference.text("description", now.description.as_deref(), wanted.description.as_deref());
    let changes = GroupDifference {
        description: description.then_some(wanted.description),
        roles: regranted.then(|| Vec::from_iter(roles)),
    };
    difference.step(&shown, Change::UpdateGroup { id: now.id, version: now.version, changes })
}

fn names(references: &[Reference]) -> BTreeSet<String> {
    references.iter().map(|reference| reference.name.clone()).collect()
}

/// Whether one of these roles grants everything, now and in future.
fn grant_everything(roles: &BTreeSet<String>, state: &State) -> bool {
    state.roles.iter().any(|role| role.all_scopes && roles.contains(&role.name))
}

impl Step {
    fn create(what: &str, change: Change) -> Self {
        Self { told: format!("create {what}"), change }
    }
}

/// What differs in one object, told part by part. Each part says whether there is a difference.
#[derive(Default)]
struct Difference(Vec<String>);

impl Difference {
    fn text(&mut self, what: &str, before: Option<&str>, after: Option<&str>) -> bool {
        let quoted = |text: Option<&str>| text.map_or("none".to_owned(), |text| format!("{text:?}"));
        if before != after {
            self.0.push(format!("{what} {} -> {}", quoted(before), quoted(after)));
        }
        before != after
    }

    fn kind(&mut self, before: ScopeKind, after: ScopeKind) -> bool {
        let written = |kind| match kind {
            ScopeKind::Read => "read",
            ScopeKind::Write => "write",
        };
        if before != after {
            self.0.push(format!("kind {} -> {}", written(before), written(after)));
        }
        before != after
    }

    fn set(&mut self, what: &str, before: &BTreeSet<String>, after: &BTreeSet<String>) -> bool {
        let gained = after.difference(before).map(|name| format!(" +{}", shown(name)));
        let lost = before.difference(after).map(|name| format!(" -{}", shown(name)));
        let told: String = gained.chain(lost).collect();
        if !told.is_empty() {
            self.0.push(format!("{what}{told}"));
        }
        before != after
    }

    fn step(self, what: &str, change: Change) -> Option<Step> {
        let told = format!("update {what}: {}", self.0.join(", "));
        (!self.0.is_empty()).then_some(Step { told, change })
    }
}

#[cfg(test)]
mod tests {
    use entity::{Timestamp, api, group, role, scope};
    use uuid::Uuid;

    use super::*;

    /// A server with an API of one scope, the role `admin`, and two roles and groups of its own.
    fn state() -> State {
        let (now, id) = (Timestamp(0), Uuid::from_u128);
        let role = |number, name: &str| role::Model {
            id: RoleId(id(number)),
            name: name.to_owned(),
            description: None,
            built_in: number == 1,
            all_scopes: number == 1,
            version: 7,
            created_at: now,
            updated_at: now,
        };
        let group = |number, name: &str| group::Model {
            id: GroupId(id(number)),
            name: name.to_owned(),
            description: Some("Old".to_owned()),
            version: 7,
            created_at: now,
            updated_at: now,
        };
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
        State {
            apis: vec![api::Model {
                id: ApiId(id(1)),
                identifier: "urn:there".to_owned(),
                name: "There".to_owned(),
                description: None,
                built_in: false,
                version: 7,
                created_at: now,
                updated_at: now,
            }],
            scopes: vec![scope::Model {
                id: ScopeId(id(1)),
                api_id: ApiId(id(1)),
                name: "there:read".to_owned(),
                description: None,
                kind: ScopeKind::Read,
            }],
            roles: vec![role(1, "admin"), role(2, "some role"), role(3, "none")],
            scopes_of: [(RoleId(id(2)), set(&["there:read"]))].into(),
            groups: vec![group(1, "admins"), group(2, "others")],
            roles_of: [(GroupId(id(1)), set(&["admin", "some role"]))].into(),
        }
    }

    fn planned(text: &str) -> Plan {
        plan(file::parse(text).unwrap(), &state())
    }

    fn told(text: &str) -> Vec<String> {
        planned(text).steps.into_iter().map(|step| step.told).collect()
    }

    #[test]
    fn what_is_needed_comes_first_and_the_order_of_the_file_counts_within_a_kind() {
        let file = "
            groups = [{ name = 'g', roles = ['r'] }]
            roles = [{ name = 'r', scopes = ['b:x'] }, { name = 'a' }]
            apis = [
                { identifier = 'urn:b', name = 'B', scopes = [{ name = 'b:x', kind = 'read' }] },
                { identifier = 'urn:a', name = 'A', scopes = [{ name = 'a:x', kind = 'write' }] },
            ]";
        let expected = [
            "create API urn:b",
            "create API urn:a",
            "create scope b:x",
            "create scope a:x",
            "create role r",
            "create role a",
            "create group g",
        ];
        assert_eq!(told(file), expected);
    }

    #[test]
    fn what_is_as_the_file_says_needs_no_step() {
        for same in [
            "",
            "apis = [{ identifier = 'urn:there', name = 'There' }]",
            "apis = [{ identifier = 'urn:there', name = 'There', scopes = [{ name = 'there:read', kind = 'read' }] }]",
            "roles = [{ name = 'some role', scopes = ['there:read'] }, { name = 'none', description = '' }]",
            "groups = [{ name = 'admins', description = 'Old', roles = ['some role', 'admin'] }]",
            "groups = [{ name = 'others', description = 'Old', roles = [] }]",
        ] {
            assert_eq!(told(same), [""; 0], "{same}");
        }
    }

    #[test]
    fn each_difference_is_told() {
        for (file, expected) in [
            (
                "apis = [{ identifier = 'urn:there', name = 'Here', description = \"a\\nb\" }]",
                r#"update API urn:there: name "There" -> "Here", description none -> "a\nb""#,
            ),
            (
                "apis = [{ identifier = 'urn:there', name = 'There', scopes = [{ name = 'there:read', kind = 'write' }] }]",
                "update scope there:read: kind read -> write",
            ),
            ("roles = [{ name = 'some role' }]", r#"update role "some role": scopes -there:read"#),
            ("roles = [{ name = 'none', scopes = ['x:y'] }]", "update role none: scopes +x:y"),
            (
                "groups = [{ name = 'others', roles = ['none'] }]",
                r#"update group others: roles +none, description "Old" -> none"#,
            ),
            (
                "groups = [{ name = 'admins', description = 'New', roles = ['none', 'admin'] }]",
                r#"update group admins: roles +none -"some role", description "Old" -> "New""#,
            ),
        ] {
            assert_eq!(told(file), [expected], "{file}");
        }
    }

    #[test]
    fn only_what_differs_is_changed() {
        let plan = planned("roles = [{ name = 'none', description = 'Few' }]");
        let [Step { change: Change::UpdateRole { version: 7, changes, .. }, .. }] = &*plan.steps else {
            panic!("{plan:?}");
        };
        assert_eq!(changes.description, Some(Some("Few".to_owned())));
        assert!(changes.name.is_none() && changes.scopes.is_none(), "{changes:?}");
    }

    #[test]
    fn whoever_loses_the_role_that_grants_everything_does_so_last() {
        let plan = planned(
            "groups = [{ name = 'admins', description = 'Old' },\n\
             { name = 'others', description = 'Old', roles = ['admin'] },\n{ name = 'new', roles = ['admin'] }]",
        );
        let told: Vec<_> = plan.steps.iter().map(|step| &*step.told).collect();
        let last = r#"update group admins: roles -admin -"some role""#;
        assert_eq!(told, ["update group others: roles +admin", "create group new", last]);
        assert_eq!(plan.stripped, [(1, state().groups[0].id)]);
        assert_eq!(plan.raised, [state().groups[1].id]);
    }
}
