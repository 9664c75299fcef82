//! The steps, carried out one by one through the actions: each is its own transaction and has its own event in the log.

use std::collections::HashMap;

use entity::{ApiId, RoleId};

use super::plan::{Change, GroupDifference};
use super::state::State;
use crate::actions::groups::{GroupChanges, NewGroup};
use crate::actions::scopes::NewScope;
use crate::actions::{apis, groups, roles, scopes};
use crate::app::context::Context;
use crate::error::{Error, Result};

/// The ids of what is called by name: what was there, and what has been made since.
#[derive(Debug)]
pub(super) struct Ids {
    apis: HashMap<String, ApiId>,
    roles: HashMap<String, RoleId>,
}

impl Ids {
    pub(super) fn of(state: State) -> Self {
        Self {
            apis: state.apis.into_iter().map(|api| (api.identifier, api.id)).collect(),
            roles: state.roles.into_iter().map(|role| (role.name, role.id)).collect(),
        }
    }

    /// Makes one change. What was changed by somebody else since it was read is refused.
    pub(super) async fn carry_out(&mut self, cx: &Context, change: Change) -> Result<()> {
        match change {
            Change::CreateApi(new) => {
                let api = apis::create(cx, new).await?;
                self.apis.insert(api.identifier, api.id);
            }
            Change::UpdateApi { id, version, changes } => {
                apis::update(cx, id, Some(version), changes).await?;
            }
            Change::CreateScope { api, name, kind, description } => {
                let api = known(&self.apis, &api)?;
                scopes::create(cx, NewScope { api, name, description, kind }).await?;
            }
            Change::UpdateScope { id, changes } => {
                scopes::update(cx, id, changes).await?;
            }
            Change::CreateRole(new) => {
                let role = roles::create(cx, new).await?;
                self.roles.insert(role.name, role.id);
            }
            Change::UpdateRole { id, version, changes } => {
                roles::update(cx, id, Some(version), changes).await?;
            }
            Change::CreateGroup(new) => {
                let roles = self.roles(new.roles.iter().map(|reference| &*reference.name))?;
                let (name, description) = (new.name, new.description);
                groups::create(cx, NewGroup { name, description, roles, members: Vec::new() }).await?;
            }
            Change::UpdateGroup { id, version, changes: GroupDifference { description, roles } } => {
                let roles = roles.map(|roles| self.roles(roles.iter().map(String::as_str))).transpose()?;
                let changes = GroupChanges { description, roles, ..GroupChanges::default() };
                groups::update(cx, id, Some(version), changes).await?;
            }
        }
        Ok(())
    }

    fn roles<'n>(&self, names: impl Iterator<Item = &'n str>) -> Result<Vec<RoleId>> {
        names.map(|name| known(&self.roles, name)).collect()
    }
}

fn known<T: Copy>(ids: &HashMap<String, T>, name: &str) -> Result<T> {
    ids.get(name).copied().ok_or_else(|| Error::internal(format!("the plan has no step that makes {name}")))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::file::{self, Wanted};
    use super::super::plan::plan;
    use super::*;
    use crate::access::Caller;
    use crate::actions::apis::ApiChanges;
    use crate::actions::roles::RoleChanges;
    use crate::app::context::Origin;
    use crate::app::{App, Writer};
    use crate::clock::{FrozenClock, Time as _};
    use crate::config::Config;
    use crate::entropy::SeededEntropy;
    use crate::error::UserErrorCode;
    use crate::timeouts::Timeouts;

    const FILE: &str = "
        apis = [{ identifier = 'urn:x', name = 'X' }]
        roles = [{ name = 'x' }]
        groups = [{ name = 'x', roles = ['x'] }]";

    async fn operator(directory: &tempfile::TempDir) -> (Context, Writer) {
        let settings = format!("data_dir = '{}'", directory.path().display());
        let config = Config { timeouts: Timeouts::never(), ..Config::from_toml(&settings).unwrap() };
        let clock = FrozenClock::at("2026-11-21T09:00:00.000Z".parse().unwrap());
        let now = clock.now();
        let entropy = SeededEntropy::shared(1);
        let (app, writer) = App::open(&config, "urn:latchkey".to_owned(), clock, entropy).await.unwrap();
        (Context::new(Arc::clone(&app), Caller::Operator, Origin::default(), now), writer)
    }

    fn wanted(text: &str) -> Wanted {
        file::parse(text).unwrap()
    }

    /// Everything has a new description, behind the back of whoever has read it.
    async fn change_everything(cx: &Context, state: &State) {
        let description = || Some(Some("Somebody else's".to_owned()));
        let api = state.apis.iter().find(|api| !api.built_in).unwrap().id;
        let changes = ApiChanges { description: description(), ..ApiChanges::default() };
        apis::update(cx, api, None, changes).await.unwrap();
        let role = state.roles.iter().find(|role| !role.built_in).unwrap().id;
        let changes = RoleChanges { description: description(), ..RoleChanges::default() };
        roles::update(cx, role, None, changes).await.unwrap();
        let changes = GroupChanges { description: description(), ..GroupChanges::default() };
        groups::update(cx, state.groups[0].id, None, changes).await.unwrap();
    }

    #[tokio::test]
    async fn what_somebody_else_has_changed_meanwhile_is_not_overwritten() {
        let directory = tempfile::tempdir().unwrap();
        let (cx, writer) = operator(&directory).await;
        let mut ids = Ids::of(State::read(&cx, &wanted(FILE)).await.unwrap());
        let state = State::read(&cx, &wanted(FILE)).await.unwrap();
        for step in plan(wanted(FILE), &state).steps {
            ids.carry_out(&cx, step.change).await.unwrap();
        }
        let file = FILE.replace("name", "description = 'Ours', name");
        let state = State::read(&cx, &wanted(&file)).await.unwrap();
        change_everything(&cx, &state).await;
        let steps = plan(wanted(&file), &state).steps;
        assert_eq!(steps.len(), 3);
        for step in steps {
            let refused = ids.carry_out(&cx, step.change).await;
            let code = UserErrorCode::VersionConflict;
            assert!(matches!(refused, Err(Error::Refused(error)) if error.code == code), "{}", step.told);
        }
        let told: Vec<_> = State::read(&cx, &wanted(FILE)).await.unwrap().groups;
        assert_eq!(told[0].description.as_deref(), Some("Somebody else's"));
        drop(cx);
        writer.finish().await;
    }

    #[tokio::test]
    async fn what_somebody_else_has_made_meanwhile_is_not_made_again() {
        let directory = tempfile::tempdir().unwrap();
        let (cx, writer) = operator(&directory).await;
        let steps = async || {
            let state = State::read(&cx, &wanted(FILE)).await.unwrap();
            (plan(wanted(FILE), &state).steps, Ids::of(state))
        };
        let ((ours, mut our_ids), (theirs, mut their_ids)) = (steps().await, steps().await);
        for step in theirs {
            their_ids.carry_out(&cx, step.change).await.unwrap();
        }
        let mut said = Vec::new();
        for step in ours {
            said.push(our_ids.carry_out(&cx, step.change).await.unwrap_err().to_string());
        }
        let expected = [
            "Another API already has the identifier urn:x.",
            "Another role is already named `x`. Choose another name.",
            // The role was not made by this run, so that the group has no role to refer to.
            "Internal server error. The server's log has the details under this request id.",
        ];
        assert_eq!(said, expected);
        drop(cx);
        writer.finish().await;
    }
}
