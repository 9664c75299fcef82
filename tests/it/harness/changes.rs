//! What tests about users, groups, service accounts, roles and APIs send and look at.

use std::fmt::Debug;

use entity::activity::{ActivityFamily, ActivityKind};
use entity::{GlobalId, ObjectKind};
use sea_orm::EntityTrait;
use serde_json::{Value, json};

use super::keys::detail;
use super::{Caller, Server};

/// A mutation with one input, its payload under the name `change`.
macro_rules! change {
    ($field:literal, $input:literal, $payload:literal) => {
        concat!(
            "mutation ($input: ",
            $input,
            "!) { change: ",
            $field,
            "(input: $input) { ",
            $payload,
            " userErrors { code field message targetId relatedIds } } }"
        )
    };
}

pub const CREATE_USER: &str = change!("createUser", "CreateUserInput", "user { id version }");
pub const UPDATE_USER: &str = change!("updateUser", "UpdateUserInput", "user { id version }");
pub const DEACTIVATE_USER: &str =
    change!("deactivateUser", "UserIdInput", "user { id active version } serviceAccountKeys { name }");
pub const REACTIVATE_USER: &str = change!("reactivateUser", "UserIdInput", "user { id active version }");
pub const CREATE_ACCOUNT: &str =
    change!("createServiceAccount", "CreateServiceAccountInput", "serviceAccount { id version }");
pub const UPDATE_ACCOUNT: &str =
    change!("updateServiceAccount", "UpdateServiceAccountInput", "serviceAccount { id version }");
pub const DELETE_ACCOUNT: &str = change!("deleteServiceAccount", "ServiceAccountIdInput", "deletedId");
pub const CREATE_GROUP: &str = change!("createGroup", "CreateGroupInput", "group { id version }");
pub const UPDATE_GROUP: &str = change!("updateGroup", "UpdateGroupInput", "group { id version }");
pub const DELETE_GROUP: &str = change!("deleteGroup", "GroupIdInput", "deletedId");
pub const CREATE_ROLE: &str = change!("createRole", "CreateRoleInput", "role { id version }");
pub const UPDATE_ROLE: &str = change!("updateRole", "UpdateRoleInput", "role { id version }");
pub const DELETE_ROLE: &str = change!("deleteRole", "RoleIdInput", "deletedId");
pub const CREATE_API: &str = change!("createApi", "CreateApiInput", "api { id version }");
pub const UPDATE_API: &str = change!("updateApi", "UpdateApiInput", "api { id version }");
pub const DELETE_API: &str = change!("deleteApi", "ApiIdInput", "deletedId");
pub const CREATE_SCOPE: &str = change!("createScope", "CreateScopeInput", "scope { id }");
pub const UPDATE_SCOPE: &str = change!("updateScope", "UpdateScopeInput", "scope { id }");
pub const DELETE_SCOPE: &str = change!("deleteScope", "ScopeIdInput", "deletedId");

/// One change as the log tells it.
#[derive(Debug, PartialEq)]
pub struct Change {
    pub kind: ActivityKind,
    /// Who did it, as a public id.
    pub actor: String,
    pub detail: Value,
}

impl Caller {
    /// The payload of a mutation that must go well.
    pub async fn done(&self, mutation: &str, input: Value) -> Value {
        let payload = self.change(mutation, input.clone()).await;
        assert_eq!(payload["userErrors"], json!([]), "{input}");
        payload
    }

    /// The id of what a mutation has made.
    pub async fn made(&self, mutation: &str, input: Value) -> String {
        let payload = self.done(mutation, input).await;
        let made = payload.as_object().unwrap().values().find_map(|object| object["id"].as_str());
        made.unwrap_or_else(|| panic!("nothing was made: {payload}")).to_owned()
    }

    /// What a mutation changes must be refused for one reason: its user error.
    pub async fn mistake(&self, mutation: &str, input: Value) -> Value {
        let mut payload = self.change(mutation, input.clone()).await;
        assert_eq!(payload["userErrors"].as_array().map(Vec::len), Some(1), "{input}: {payload}");
        for (name, value) in payload.as_object().unwrap() {
            let nothing = value.is_null() || *value == json!([]);
            assert!(name == "userErrors" || nothing, "{input} is refused and answers {name}");
        }
        payload["userErrors"][0].take()
    }
}

/// The names of a list of objects, with spaces between.
pub fn names(list: &Value) -> String {
    let names = list.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap());
    names.collect::<Vec<_>>().join(" ")
}

impl Server {
    /// Everything that changes of the directory and of keys write, as text: the same before and after when nothing was
    /// changed. To be compared, never printed: it has hashes.
    pub async fn whole_state(&self) -> String {
        [
            self.state().await,
            self.rows_of::<entity::account::Entity>().await,
            self.rows_of::<entity::user::Entity>().await,
            self.rows_of::<entity::service_account::Entity>().await,
            self.rows_of::<entity::group::Entity>().await,
            self.rows_of::<entity::group_member::Entity>().await,
            self.rows_of::<entity::group_role::Entity>().await,
            self.rows_of::<entity::user_role::Entity>().await,
            self.rows_of::<entity::role::Entity>().await,
            self.rows_of::<entity::role_scope::Entity>().await,
            self.rows_of::<entity::api::Entity>().await,
            self.rows_of::<entity::scope::Entity>().await,
        ]
        .join("\n")
    }

    #[expect(clippy::disallowed_methods, reason = "tests look at rows without asking for permission")]
    async fn rows_of<E: EntityTrait>(&self) -> String
    where
        E::Model: Debug,
    {
        let rows = E::find().all(self.app.db.reader()).await.unwrap();
        let mut rows: Vec<String> = rows.iter().map(|row| format!("{row:?}")).collect();
        rows.sort();
        rows.join("\n")
    }

    /// What the log tells about changes of an object, oldest first.
    pub async fn changes_about(&self, target: &str) -> Vec<Change> {
        let rows = self.log().await.into_iter().filter(|row| row.kind.family() == ActivityFamily::Change);
        rows.filter(|row| public_id(row.target_kind, row.target_id) == target)
            .map(|row| Change {
                kind: row.kind,
                actor: public_id(row.actor_kind, row.actor_id),
                detail: detail(&row),
            })
            .collect()
    }
}

fn public_id(kind: Option<ObjectKind>, id: Option<uuid::Uuid>) -> String {
    match (kind, id) {
        (Some(kind), Some(uuid)) => GlobalId { kind, uuid }.to_string(),
        _ => String::new(),
    }
}
