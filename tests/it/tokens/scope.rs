//! What a token may do and for whom it is: scopes narrowed by the request, the key and its owner; audiences (RFC 8707).

use serde_json::json;

use super::wire::{audiences, line};
use crate::harness::keys::{UPDATE, mistakes};
use crate::harness::{Grants, Key, Server};

const ISSUER: &str = "https://keys.example.com";
const BILLING: &str = "https://billing.example.com";
const STOCK: &str = "urn:example:stock";

const UNHELD: &str = "400 invalid_scope: This API key does not hold every requested scope.";
const NOTHING: &str = "400 invalid_scope: This API key holds no scope that can be granted.";

/// A server with two APIs beside its own.
async fn started() -> Server {
    let server = Server::start_with(&format!("public_url = '{ISSUER}'")).await;
    server.api(BILLING, &["invoices:read", "invoices:write"]).await;
    server.api(STOCK, &["stock:read"]).await;
    server
}

/// A service account's key.
async fn machine(server: &Server, grants: Grants<'_>) -> Key {
    let ci = server.service_account("ci").await;
    server.key(&ci, "ci", grants).await
}

async fn asked(server: &Server, key: &Key, parameters: &[(&str, &str)]) -> String {
    line(&server.exchange(key, parameters).await)
}

/// The audiences of the token for these parameters.
async fn audience(server: &Server, key: &Key, parameters: &[(&str, &str)]) -> Vec<String> {
    audiences(&server.exchange(key, parameters).await)
}

#[tokio::test]
async fn without_a_scope_all_is_granted_and_with_one_only_that() {
    let server = started().await;
    let key = machine(&server, Grants::Scopes(&["roles:read", "keys:write", "keys:read"])).await;
    assert_eq!(asked(&server, &key, &[]).await, "200 keys:read keys:write roles:read");
    assert_eq!(asked(&server, &key, &[("scope", "roles:read")]).await, "200 roles:read");
    let shuffled = [("scope", "roles:read keys:read roles:read")];
    assert_eq!(asked(&server, &key, &shuffled).await, "200 keys:read roles:read");
    server.stop().await;
}

#[tokio::test]
async fn a_narrow_token_can_do_no_more_than_it_says() {
    let server = started().await;
    let key = machine(&server, Grants::Roles(&["admin"])).await;
    let narrow = server.sign_in_with(&key, &[("scope", "roles:read")]).await;
    assert_eq!(
        narrow.graphql("{ viewer { scopes } }").await.data()["viewer"]["scopes"],
        json!(["roles:read"])
    );
    let refused = narrow.graphql("{ apiKeys { nodes { id } } }").await;
    assert_eq!(refused.code(), "FORBIDDEN");
    server.stop().await;
}

#[tokio::test]
async fn asking_for_more_than_is_held_gives_nothing() {
    let server = started().await;
    let key = machine(&server, Grants::Scopes(&["keys:read"])).await;
    for more in ["keys:write", "keys:read keys:write", "no:such", "Keys:Read", "keys:read:any", "*"] {
        assert_eq!(asked(&server, &key, &[("scope", more)]).await, UNHELD, "{more}");
    }
    let empty = server.key(&server.service_account("empty").await, "e", Grants::Roles(&[])).await;
    assert_eq!(asked(&server, &empty, &[]).await, NOTHING);
    server.stop().await;
}

/// Proves: R-07
#[tokio::test]
async fn a_token_is_for_the_apis_of_its_scopes() {
    let server = started().await;
    let key = machine(&server, Grants::Scopes(&["keys:read", "invoices:read"])).await;
    assert_eq!(audience(&server, &key, &[]).await, [BILLING, ISSUER]);
    assert_eq!(audience(&server, &key, &[("scope", "invoices:read")]).await, [BILLING]);
    assert_eq!(audience(&server, &key, &[("scope", "keys:read")]).await, [ISSUER]);
    // One as a string, several as a list.
    let claims = |answer| super::wire::claims(&answer)["aud"].clone();
    assert_eq!(claims(server.exchange(&key, &[("scope", "keys:read")]).await), ISSUER);
    assert!(claims(server.exchange(&key, &[]).await).is_array());
    server.stop().await;
}

/// Proves: R-07
#[tokio::test]
async fn resource_chooses_the_apis_and_leaves_only_their_scopes() {
    let server = started().await;
    let key = machine(&server, Grants::Scopes(&["keys:read", "invoices:read", "invoices:write"])).await;
    let billing = [("resource", BILLING)];
    assert_eq!(asked(&server, &key, &billing).await, "200 invoices:read invoices:write");
    assert_eq!(audience(&server, &key, &billing).await, [BILLING]);
    assert_eq!(asked(&server, &key, &[("resource", ISSUER)]).await, "200 keys:read");
    assert_eq!(audience(&server, &key, &[("resource", ISSUER)]).await, [ISSUER]);
    let both = [("resource", BILLING), ("resource", ISSUER)];
    assert_eq!(asked(&server, &key, &both).await, "200 invoices:read invoices:write keys:read");
    assert_eq!(audience(&server, &key, &both).await, [BILLING, ISSUER]);
    let twice = [("resource", BILLING), ("resource", BILLING)];
    assert_eq!(audience(&server, &key, &twice).await, [BILLING]);

    let narrowed = [("resource", BILLING), ("scope", "invoices:read")];
    assert_eq!(asked(&server, &key, &narrowed).await, "200 invoices:read");
    let elsewhere = [("resource", BILLING), ("scope", "keys:read")];
    assert_eq!(asked(&server, &key, &elsewhere).await, UNHELD);
    assert_eq!(asked(&server, &key, &[("resource", STOCK)]).await, NOTHING);
    server.stop().await;
}

#[tokio::test]
async fn an_unknown_resource_is_an_invalid_target() {
    let server = started().await;
    let key = machine(&server, Grants::Scopes(&["keys:read", "invoices:read"])).await;
    let invalid = "400 invalid_target: No API has the identifier given as resource.";
    for unknown in
        ["https://nowhere.example.com", "https://BILLING.example.com", "https://billing.example.com/", "x"]
    {
        assert_eq!(asked(&server, &key, &[("resource", unknown)]).await, invalid, "{unknown}");
        let beside = [("resource", BILLING), ("resource", unknown)];
        assert_eq!(asked(&server, &key, &beside).await, invalid, "{unknown}");
    }
    server.stop().await;
}

/// Proves: R-07
#[tokio::test]
async fn a_token_for_another_api_opens_nothing_here() {
    let server = started().await;
    let key = machine(&server, Grants::Scopes(&["keys:read", "invoices:read"])).await;
    let elsewhere = server.sign_in_with(&key, &[("resource", BILLING)]).await;
    assert_eq!(elsewhere.graphql("{ viewer { scopes } }").await.status, 401);
    // One for both does, and only by its scopes for us.
    let both = server.sign_in(&key).await;
    assert_eq!(both.graphql("{ viewer { scopes } }").await.status, 200);
    server.stop().await;
}

/// Proves: R-14
#[tokio::test]
async fn a_read_only_key_gets_no_scope_that_writes() {
    let server = started().await;
    let ci = server.service_account("ci").await;
    let scopes = Grants::Scopes(&["keys:read", "keys:write", "invoices:read", "invoices:write"]);
    let key = server.key_with(&ci, "reader", scopes, |new| new.read_only = true).await;
    assert_eq!(asked(&server, &key, &[]).await, "200 invoices:read keys:read");
    assert_eq!(asked(&server, &key, &[("scope", "keys:write")]).await, UNHELD);
    let writer = Grants::Scopes(&["keys:write"]);
    let only = server.key_with(&ci, "writer", writer, |new| new.read_only = true).await;
    assert_eq!(asked(&server, &only, &[]).await, NOTHING);

    let ada = server.user("ada@example.com", &["admin"]).await;
    let inherits = server.key_with(&ada, "ada", Grants::Inherit, |new| new.read_only = true).await;
    let granted = asked(&server, &inherits, &[]).await;
    assert!(granted.contains("users:read") && granted.contains("invoices:read"));
    assert!(!granted.contains("write") && !granted.contains("create"), "{granted}");
    server.stop().await;
}

/// Proves: D-04
#[tokio::test]
async fn a_users_key_never_holds_more_than_its_owner_does_now() {
    let server = started().await;
    let ada = server.user("ada@example.com", &["member", "analyst"]).await;
    let scoped = Grants::Scopes(&["activity:read:any", "keys:read", "users:write", "invoices:read"]);
    let scoped = server.key(&ada, "scoped", scoped).await;
    let by_role = server.key(&ada, "by role", Grants::Roles(&["auditor"])).await;
    assert_eq!(asked(&server, &scoped, &[]).await, "200 activity:read:any keys:read");
    assert_eq!(asked(&server, &scoped, &[("scope", "users:write")]).await, UNHELD);
    assert_eq!(
        asked(&server, &by_role, &[]).await,
        "200 activity:read activity:read:any keys:read roles:read scopes:read"
    );

    server.take_role(&ada, "analyst").await;
    assert_eq!(asked(&server, &scoped, &[]).await, "200 keys:read");
    assert_eq!(asked(&server, &scoped, &[("scope", "activity:read:any")]).await, UNHELD);
    assert_eq!(asked(&server, &by_role, &[]).await, "200 activity:read keys:read roles:read scopes:read");
    server.give_role(&ada, "admin").await;
    assert_eq!(
        asked(&server, &scoped, &[]).await,
        "200 activity:read:any invoices:read keys:read users:write"
    );
    server.stop().await;
}

#[tokio::test]
async fn a_key_that_inherits_follows_its_owner() {
    let server = started().await;
    let ada = server.user("ada@example.com", &["member"]).await;
    let key = server.key(&ada, "ci", Grants::Inherit).await;
    let member = "200 activity:read keys:read keys:use keys:write roles:read scopes:read";
    assert_eq!(asked(&server, &key, &[]).await, member);
    server.give_role(&ada, "analyst").await;
    let analyst = "200 activity:read activity:read:any keys:read keys:use keys:write roles:read scopes:read";
    assert_eq!(asked(&server, &key, &[]).await, analyst);
    server.take_role(&ada, "member").await;
    server.take_role(&ada, "analyst").await;
    let refused = asked(&server, &key, &[]).await;
    assert_eq!(
        refused,
        "401 invalid_client: The owner of this API key is not permitted to use API keys: it lacks the scope keys:use. [challenged]"
    );
    server.stop().await;
}

#[tokio::test]
async fn a_key_with_empty_lists_inherits_nothing() {
    let server = started().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    let none = server.key(&ada.account, "none", Grants::Roles(&[])).await;
    assert_eq!(asked(&server, &none, &[]).await, NOTHING);
    // Null for both makes it inherit.
    let update = json!({ "id": none.id, "roleIds": null, "scopes": null });
    assert_eq!(mistakes(&ada.caller.change(UPDATE, update).await), [""; 0]);
    assert!(asked(&server, &none, &[]).await.starts_with("200 "));
    server.stop().await;
}

/// Proves: X-31, I-01, I-02, R-06
#[tokio::test]
async fn a_service_accounts_key_holds_what_it_was_given_and_needs_no_keys_use() {
    let server = started().await;
    let scopes = machine(&server, Grants::Scopes(&["stock:read", "users:read"])).await;
    assert_eq!(asked(&server, &scopes, &[]).await, "200 stock:read users:read");
    assert_eq!(audience(&server, &scopes, &[]).await, [ISSUER, STOCK]);
    let robot = server.service_account("robot").await;
    let member = server.key(&robot, "member", Grants::Roles(&["member"])).await;
    let granted = "200 activity:read keys:read keys:use keys:write roles:read scopes:read";
    assert_eq!(asked(&server, &member, &[]).await, granted);
    // Everything means the scopes of every API.
    let admin = server.key(&robot, "admin", Grants::Roles(&["admin"])).await;
    assert_eq!(audience(&server, &admin, &[]).await, [BILLING, ISSUER, STOCK]);
    server.stop().await;
}
