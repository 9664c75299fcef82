//! Users, groups, service accounts, roles, APIs and scopes: through GraphQL, as clients meet them.

mod administrators;
mod apis;
mod groups;
mod lists;
mod roles;
mod scopes;
mod service_accounts;
mod tokens;
mod users;

use serde_json::{Value, json};

use crate::harness::Server;
use crate::harness::keys::Person;

/// An id of the right form that nothing has.
fn unknown(kind: &str) -> String {
    format!("{kind}_00000000000000000000000001")
}

/// A server with an administrator.
async fn started() -> (Server, Person) {
    let server = Server::start().await;
    let boss = server.person("boss@example.com", &["admin"]).await;
    (server, boss)
}

/// An update of this object.
fn update(id: &str, with: &Value) -> Value {
    let mut input = with.clone();
    input["id"] = json!(id);
    input
}

/// Each of these is refused with its user error, as `CODE path.of.the.field target`, and nothing is changed.
async fn each_is_refused(
    (server, by): (&Server, &crate::harness::Caller),
    mutation: &str,
    attempts: impl IntoIterator<Item = (Value, String)>,
) {
    let before = server.whole_state().await;
    for (input, expected) in attempts {
        assert_eq!(by.mistakes(mutation, input.clone()).await, [expected], "{input}");
        assert!(server.whole_state().await == before, "{input} has changed something");
    }
}
