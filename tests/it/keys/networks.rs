//! `allowedNetworks` of a key: how they are given, changed, shown and logged. What they do is in `tokens/networks.rs`.

use serde_json::{Value, json};

use crate::harness::keys::{CREATE, UPDATE, detail, mistakes};
use crate::harness::{Caller, Grants, Server};

const NETWORKS: &str = "query ($id: ID!) { apiKey(by: { id: $id }) { name allowedNetworks version } }";

async fn networks(caller: &Caller, id: &str) -> Value {
    caller.graphql_with(NETWORKS, json!({ "id": id })).await.data()["apiKey"]["allowedNetworks"].take()
}

/// The stored form.
async fn stored(server: &Server, id: &str) -> Option<String> {
    server.key_row(id.parse().unwrap()).await.allowed_networks
}

#[tokio::test]
async fn a_key_is_made_with_networks_in_canonical_form_or_with_none() {
    let server = Server::start().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    for (name, given, shown) in [
        ("left out", None, json!([])),
        ("null", Some(json!(null)), json!([])),
        ("one", Some(json!(["10.0.0.0/8"])), json!(["10.0.0.0/8"])),
        // A single value stands for a list of one (GraphQL, section 3.11).
        ("no list", Some(json!("192.0.2.7")), json!(["192.0.2.7/32"])),
        ("everywhere", Some(json!(["0.0.0.0/0", "::/0"])), json!(["0.0.0.0/0", "::/0"])),
        (
            "many",
            Some(json!(["2001:DB8::/32", "::ffff:10.0.0.0/104", " 10.0.0.0/8 ", "192.0.2.7", "2001:db8::1"])),
            json!(["2001:db8::/32", "10.0.0.0/8", "192.0.2.7/32", "2001:db8::1/128"]),
        ),
    ] {
        let mut input = json!({ "name": name });
        if let Some(given) = given {
            input["allowedNetworks"] = given;
        }
        let payload = ada.caller.change(CREATE, input).await;
        assert_eq!(payload["userErrors"], json!([]), "{name}");
        let id = payload["apiKey"]["id"].as_str().unwrap();
        assert_eq!(networks(&ada.caller, id).await, shown, "{name}");
        let kept = (shown != json!([])).then_some(&shown);
        assert_eq!(stored(&server, id).await, kept.map(ToString::to_string), "{name}");
        let logged = detail(&server.changes_of(id).await[0]);
        assert_eq!(logged["after"].get("allowedNetworks"), Some(kept.unwrap_or(&Value::Null)), "{name}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_list_replaces_null_clears_and_what_is_left_out_stays() {
    let server = Server::start().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    let id = server.key(&ada.account, "ci", Grants::Inherit).await.id;
    let mut expected = json!([]);
    let changes = [
        (json!({ "allowedNetworks": ["10.0.0.0/8"] }), json!(["10.0.0.0/8"])),
        (json!({ "name": "renamed" }), json!(["10.0.0.0/8"])),
        (json!({ "allowedNetworks": ["192.0.2.0/24", "192.0.2.0/24"] }), json!(["192.0.2.0/24"])),
        (json!({ "allowedNetworks": null }), json!([])),
    ];
    for (version, (change, after)) in (1..).zip(changes) {
        let mut input = change.clone();
        (input["id"], input["version"]) = (json!(id), json!(version));
        assert_eq!(ada.caller.mistakes(UPDATE, input).await, [""; 0], "{change}");
        assert_eq!(networks(&ada.caller, &id).await, after);
        let logged = detail(server.changes_of(&id).await.last().unwrap());
        if after == expected {
            assert_eq!(logged["after"].get("allowedNetworks"), None, "{change}");
        } else {
            let told = |list: &Value| if *list == json!([]) { Value::Null } else { list.clone() };
            assert_eq!(logged["before"]["allowedNetworks"], told(&expected), "{change}");
            assert_eq!(logged["after"]["allowedNetworks"], told(&after), "{change}");
        }
        expected = after;
    }
    assert_eq!(stored(&server, &id).await, None);
    server.stop().await;
}

#[tokio::test]
async fn what_is_no_network_is_refused_with_what_would_be_right_and_changes_nothing() {
    let server = Server::start().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    let id = server.key(&ada.account, "ci", Grants::Inherit).await.id;
    let before = server.state().await;
    let many: Vec<String> = (0..101).map(|n| format!("192.0.2.{n}")).collect();
    let mut messages = String::new();
    for (list, code) in [
        (json!([]), "INVALID"),
        (json!(["10.0.0.1/8"]), "INVALID"),
        (json!(["10.0.0.0/8", "2001:db8::1/32"]), "INVALID"),
        (json!(["fe80::1%eth0"]), "INVALID"),
        (json!(["example.com"]), "INVALID"),
        (json!([""]), "INVALID"),
        (json!(many), "TOO_LONG"),
    ] {
        let expected = format!("{code} input.allowedNetworks");
        let made = ada.caller.change(CREATE, json!({ "name": "new", "allowedNetworks": list })).await;
        let changed = ada.caller.change(UPDATE, json!({ "id": id, "allowedNetworks": list })).await;
        for payload in [&made, &changed] {
            assert_eq!((mistakes(payload), &payload["apiKey"]), (vec![expected.clone()], &Value::Null));
        }
        assert_eq!(made["userErrors"], changed["userErrors"]);
        messages += &format!("{}\n", made["userErrors"][0]["message"].as_str().unwrap());
    }
    insta::assert_snapshot!(messages, @"
    An empty list would block every address. Use null for no restriction.
    `10.0.0.1/8` has bits set beyond the prefix. Did you mean 10.0.0.0/8?
    `2001:db8::1/32` has bits set beyond the prefix. Did you mean 2001:db8::/32?
    `fe80::1%eth0` has a zone id, which is only valid on one machine.
    `example.com` is not a network such as 10.0.0.0/8 or 2001:db8::/32, and not an IP address.
    `` is no network such as 10.0.0.0/8 or 2001:db8::/32, and no address.
    Use at most 100 networks. This has 101.
    ");
    for wrong in [json!([8]), json!([null]), json!([["10.0.0.0/8"]]), json!({}), json!(true)] {
        let input = json!({ "input": { "name": "new", "allowedNetworks": wrong } });
        assert_eq!(ada.caller.graphql_with(CREATE, input).await.code(), "GRAPHQL_VALIDATION_FAILED");
    }
    assert_eq!(server.state().await, before);
    server.stop().await;
}

#[tokio::test]
async fn a_hundred_networks_are_kept() {
    let server = Server::start().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    let hundred: Vec<String> = (0..100).map(|n| format!("2001:db8:{n:x}::/48")).collect();
    let payload = ada.caller.change(CREATE, json!({ "name": "ci", "allowedNetworks": hundred })).await;
    let id = payload["apiKey"]["id"].as_str().unwrap();
    assert_eq!(networks(&ada.caller, id).await[99], "2001:db8:63::/48");
    server.stop().await;
}

/// Networks give nothing that the giver would have to hold.
#[tokio::test]
async fn who_may_change_a_key_may_narrow_and_widen_its_networks_and_nobody_else() {
    let server = Server::start().await;
    let manager = server.person("manager@example.com", &["key-manager"]).await;
    let ada = server.person("ada@example.com", &["admin"]).await;
    let strong = server.key(&ada.account, "strong", Grants::Roles(&["admin"])).await;
    for list in [json!(["10.0.0.0/8"]), json!(["0.0.0.0/0"]), json!(null)] {
        let input = json!({ "id": strong.id, "allowedNetworks": list });
        assert_eq!(manager.caller.mistakes(UPDATE, input).await, [""; 0]);
    }
    let member = server.person("member@example.com", &["member"]).await;
    let reader = server.key(&ada.account, "reader", Grants::Scopes(&["keys:read:any"])).await;
    let reader = server.sign_in(&reader).await;
    let read_only = |new: &mut latchkey::actions::keys::NewKey| new.read_only = true;
    let still = server.key_with(&ada.account, "still", Grants::Inherit, read_only).await;
    let still = server.sign_in(&still).await;
    let before = server.state().await;
    let input = json!({ "id": strong.id, "allowedNetworks": ["10.0.0.0/8"] });
    let expected = format!("NOT_FOUND input.id {}", strong.id);
    assert_eq!(member.caller.mistakes(UPDATE, input.clone()).await, [expected]);
    assert_eq!(reader.denied(UPDATE, input.clone()).await, "FORBIDDEN keys:write keys:write:any");
    assert_eq!(still.denied(UPDATE, input.clone()).await, "READ_ONLY");
    assert_eq!(server.guest().denied(UPDATE, input).await, "UNAUTHENTICATED");
    assert_eq!(server.state().await, before);
    server.stop().await;
}

#[tokio::test]
async fn a_stored_list_that_cannot_be_read_is_an_error_and_can_be_replaced() {
    let server = Server::start().await;
    let ada = server.person("ada@example.com", &["member"]).await;
    let id = server.key(&ada.account, "ci", Grants::Inherit).await.id;
    server.run_sql("UPDATE api_keys SET allowed_networks = 'no JSON' WHERE name = 'ci'").await;
    let answer = ada.caller.graphql_with(NETWORKS, json!({ "id": id })).await;
    assert_eq!((answer.code().as_str(), &answer.json()["data"]["apiKey"]), ("INTERNAL", &Value::Null));
    let input = json!({ "id": id, "allowedNetworks": ["10.0.0.0/8"] });
    assert_eq!(ada.caller.mistakes(UPDATE, input).await, [""; 0]);
    assert_eq!(networks(&ada.caller, &id).await, json!(["10.0.0.0/8"]));
    let logged = detail(server.changes_of(&id).await.last().unwrap());
    assert_eq!(logged["before"]["allowedNetworks"], "no JSON");
    server.stop().await;
}
