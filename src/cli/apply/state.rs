//! What is on the server now, as far as the file speaks of it.

use std::collections::{BTreeSet, HashMap};
use std::ops::Deref;

use entity::{GroupId, RoleId, api, group, role, scope};

use super::file::Wanted;
use crate::actions::page::{ForeignCursor, MAX_PAGE, Page, PageRequest};
use crate::actions::{groups, roles, scopes};
use crate::app::context::Context;
use crate::error::{Error, Result};

/// What is there.
#[derive(Debug, Default)]
pub(super) struct State {
    /// The built-in one under the address of this server.
    pub apis: Vec<api::Model>,
    pub scopes: Vec<scope::Model>,
    pub roles: Vec<role::Model>,
    /// The names of the scopes of each role that the file names.
    pub scopes_of: HashMap<RoleId, BTreeSet<String>>,
    pub groups: Vec<group::Model>,
    /// The names of the roles of each group that the file names.
    pub roles_of: HashMap<GroupId, BTreeSet<String>>,
}

impl State {
    pub(super) async fn read(cx: &Context, wanted: &Wanted) -> Result<Self> {
        let apis = scopes::apis(cx).await?;
        let ids: Vec<_> = apis.iter().map(|api| api.id).collect();
        let scopes = scopes::of_apis(cx, &ids).await?.into_values().flatten().collect();
        let roles = all(async |page: &PageRequest| roles::list(cx, None, page).await).await?;
        let groups = all(async |page: &PageRequest| groups::list(cx, None, page).await).await?;
        let mut state = Self { apis, scopes, roles, groups, ..Self::default() };

        let named = |role: &&role::Model| wanted.roles.iter().any(|want| want.name.as_str() == role.name);
        let ids: Vec<RoleId> = state.roles.iter().filter(named).map(|role| role.id).collect();
        for (role, scopes) in roles::scopes_of(cx, &ids).await? {
            state.scopes_of.insert(role, scopes.into_iter().map(|scope| scope.name).collect());
        }
        let named = |group: &&group::Model| wanted.groups.iter().any(|want| want.name.as_str() == group.name);
        let ids: Vec<GroupId> = state.groups.iter().filter(named).map(|group| group.id).collect();
        for (group, roles) in groups::roles_of(cx, &ids).await? {
            state.roles_of.insert(group, roles.into_iter().map(|role| role.name).collect());
        }
        Ok(state)
    }
}

/// All rows of a list, page by page.
async fn all<R: Deref<Target: Clone>>(
    list: impl AsyncFn(&PageRequest) -> Result<Result<Page<R>, ForeignCursor>>,
) -> Result<Vec<R::Target>> {
    let mut request = PageRequest { limit: MAX_PAGE, backward: false, after: None, before: None };
    let mut rows = Vec::new();
    loop {
        let page = list(&request).await?;
        let page = page.map_err(|ForeignCursor| Error::internal("a list does not know its own cursor"))?;
        rows.extend(page.rows.iter().map(|(_, row)| (**row).clone()));
        if !page.has_next {
            return Ok(rows);
        }
        request.after = page.rows.into_iter().next_back().map(|(cursor, _)| cursor);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::actions::page::Cursor;

    /// A list of boxed numbers, two a page; what it answers to a cursor can be chosen.
    async fn numbers(knows_its_cursors: bool) -> Result<Vec<u8>> {
        // `[1,null,id]`: an order, no value, an id.
        let cursor =
            Cursor::decode("WzEsbnVsbCwiMDAwMDAwMDAtMDAwMC0wMDAwLTAwMDAtMDAwMDAwMDAwMDAwIl0").unwrap();
        let next = Cell::new(0);
        all(async |request: &PageRequest| {
            let first = next.replace(next.get() + 2);
            assert_eq!(request.after, (first > 0).then(|| cursor.clone()));
            if first > 0 && !knows_its_cursors {
                return Ok(Err(ForeignCursor));
            }
            let rows = (first..first + 2).map(|number| (cursor.clone(), Box::new(number))).collect();
            Ok(Ok(Page { rows, has_previous: first > 0, has_next: first < 4 }))
        })
        .await
    }

    #[tokio::test]
    async fn all_pages_are_read() {
        assert_eq!(numbers(true).await.unwrap(), [0, 1, 2, 3, 4, 5]);
        assert!(matches!(numbers(false).await, Err(Error::Internal(_))));
    }
}
