//! Keys that may be used from some networks only: at the exchange and at each use of a token, closed in doubt.

use entity::activity::{ActivityKind, Outcome};
use latchkey::values::{Networks, Quota};
use serde_json::{Value, json};

use super::wire::{FORM, GRANT, JSON, basic, foreign_secret, in_body, line, send, send_to, token};
use crate::harness::keys::{DISABLE, Person, UPDATE, selection};
use crate::harness::{Account, Answer, Caller, Grants, Key, Server};

const REFUSED: &str = "401 invalid_client: This API key cannot be used from this IP address.";
const PASSED: &str = "200 keys:read";
const VIEWER: &str = "{ viewer { scopes } }";

/// The tests come from 127.0.0.1: here it is a proxy that says for whom it asks.
async fn behind_a_proxy() -> (Server, Person) {
    let server = Server::start_with("trusted_proxies = ['127.0.0.0/8']").await;
    let boss = server.person("boss@example.com", &["admin"]).await;
    (server, boss)
}

fn list(texts: &[&str]) -> Networks {
    let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
    Networks::parse("allowedNetworks", &texts).unwrap()
}

async fn key_for(server: &Server, owner: &Account, name: &str, networks: &[&str]) -> Key {
    let networks = Some(list(networks));
    server.key_with(owner, name, Grants::Scopes(&["keys:read"]), |new| new.networks = networks).await
}

async fn exchange_from(server: &Server, key: &Key, from: &str) -> Answer {
    send(server, &[FORM, ("x-forwarded-for", from)], &in_body(key)).await
}

async fn call_from(caller: &Caller, from: &str) -> Answer {
    let request = caller.post("/graphql").header("x-forwarded-for", from);
    caller.send(request.json(&json!({ "query": VIEWER }))).await
}

/// Whether a token is accepted from there; if not, it looks like any token that is not valid.
async fn alive_from(caller: &Caller, from: &str) -> bool {
    let answer = call_from(caller, from).await;
    if answer.status == 200 {
        assert_eq!(answer.data()["viewer"]["scopes"], json!(["keys:read"]));
        return true;
    }
    assert_eq!((answer.status.as_u16(), &*answer.code()), (401, "UNAUTHENTICATED"));
    assert!(answer.challenge().starts_with("Bearer error=\"invalid_token\""), "{}", answer.challenge());
    false
}

async fn set_networks(by: &Caller, key: &Key, networks: Value) {
    let payload = by.change(UPDATE, json!({ "id": key.id, "allowedNetworks": networks })).await;
    assert_eq!(payload["userErrors"], json!([]));
}

/// Networks, an address as the proxy tells it, and whether it is let in.
const CASES: &[(&[&str], &str, bool)] = &[
    (&["192.0.2.0/24"], "192.0.2.255", true),
    (&["192.0.2.0/24"], "192.0.3.0", false),
    (&["192.0.2.0/24"], "::ffff:192.0.2.1", true),
    (&["192.0.2.0/24"], "192.0.2.1:4711", true),
    // What stands further left was written by strangers.
    (&["192.0.2.0/24"], "192.0.2.1, 198.51.100.1", false),
    (&["192.0.2.0/24"], "198.51.100.1, 192.0.2.1", true),
    (&["192.0.2.0/24"], "192.0.2.1, 127.0.0.2", true),
    (&["192.0.2.7", "2001:db8::/32"], "192.0.2.7", true),
    (&["192.0.2.7", "2001:db8::/32"], "192.0.2.8", false),
    (&["192.0.2.7", "2001:db8::/32"], "2001:db8:1::1", true),
    (&["192.0.2.7", "2001:db8::/32"], "[2001:db8:1::1]:443", true),
    (&["192.0.2.7", "2001:db8::/32"], "2001:db9::1", false),
    (&["::ffff:10.0.0.0/104"], "10.1.2.3", true),
    (&["0.0.0.0/0"], "198.51.100.1", true),
    (&["0.0.0.0/0"], "2001:db8::1", false),
    (&["::/0"], "198.51.100.1", false),
    (&["0.0.0.0/0", "::/0"], "2001:db8::1", true),
    // The address of the proxy is not that of a client whom it does not name.
    (&["0.0.0.0/0", "::/0"], "unknown", false),
    (&["0.0.0.0/0", "::/0"], "", false),
    (&["0.0.0.0/0", "::/0"], "198.51.100.1, nonsense", false),
    (&["127.0.0.0/8"], "127.0.0.9, unknown, 127.0.0.2", false),
    (&["127.0.0.0/8"], "127.0.0.9", true),
];

/// Proves: R-15
#[tokio::test]
async fn a_key_is_exchanged_and_its_tokens_are_used_from_its_networks_alone() {
    let (server, boss) = behind_a_proxy().await;
    for (n, (networks, from, expected)) in CASES.iter().enumerate() {
        // Made where it may be used: the token is good, and the place is not.
        let key = server.key(&boss.account, &format!("ci {n}"), Grants::Scopes(&["keys:read"])).await;
        let caller = server.sign_in(&key).await;
        assert!(alive_from(&caller, from).await);
        set_networks(&boss.caller, &key, json!(networks)).await;

        let about = format!("{networks:?} from {from:?}");
        let answer = exchange_from(&server, &key, from).await;
        assert_eq!(line(&answer), if *expected { PASSED } else { REFUSED }, "{about}");
        assert_eq!(alive_from(&caller, from).await, *expected, "{about}");
        let body = json!({ "client_id": key.client_id, "client_secret": key.secret }).to_string();
        let headers = [JSON, ("x-forwarded-for", *from)];
        let answer = send_to(&server, "/api/v2/authenticate", &headers, &body).await;
        assert_eq!(answer.status == 200, *expected, "{about}");
    }
    server.stop().await;
}

#[tokio::test]
async fn without_networks_a_key_is_used_from_everywhere_even_from_nobody_knows_where() {
    let (server, boss) = behind_a_proxy().await;
    let key = server.key(&boss.account, "ci", Grants::Scopes(&["keys:read"])).await;
    for from in ["198.51.100.1", "2001:db8::1", "unknown", ""] {
        let answer = exchange_from(&server, &key, from).await;
        assert_eq!(line(&answer), PASSED, "{from}");
        assert!(alive_from(&server.bearer(&token(&answer)), from).await, "{from}");
    }
    server.stop().await;
}

/// Proves: R-15
#[tokio::test]
async fn who_is_no_trusted_proxy_cannot_say_to_come_from_elsewhere() {
    let server = Server::start().await;
    let ada = server.user("ada@example.com", &["member"]).await;
    let here = key_for(&server, &ada, "here", &["127.0.0.1"]).await;
    let elsewhere = key_for(&server, &ada, "elsewhere", &["192.0.2.0/24"]).await;
    for from in ["192.0.2.1", "127.0.0.1", "unknown"] {
        let answer = exchange_from(&server, &here, from).await;
        assert_eq!(line(&answer), PASSED);
        assert!(alive_from(&server.bearer(&token(&answer)), from).await);
        assert_eq!(line(&exchange_from(&server, &elsewhere, from).await), REFUSED);
    }
    server.stop().await;
}

#[tokio::test]
async fn a_change_acts_on_the_next_request_and_tokens_issued_before_live_on_where_it_lets_them() {
    let (server, boss) = behind_a_proxy().await;
    let key = key_for(&server, &boss.account, "ci", &["192.0.2.0/24"]).await;
    let issued = exchange_from(&server, &key, "192.0.2.1").await;
    let caller = server.bearer(&token(&issued));
    for (networks, [there, elsewhere]) in [
        (json!(["198.51.100.0/24"]), [false, true]),
        (json!(["192.0.2.0/24", "198.51.100.0/24"]), [true, true]),
        (json!(["203.0.113.0/24"]), [false, false]),
        (json!(null), [true, true]),
        (json!(["192.0.2.0/24"]), [true, false]),
    ] {
        set_networks(&boss.caller, &key, networks.clone()).await;
        for (from, expected) in [("192.0.2.1", there), ("198.51.100.1", elsewhere)] {
            assert_eq!(alive_from(&caller, from).await, expected, "{networks} from {from}");
            let answer = exchange_from(&server, &key, from).await;
            assert_eq!(line(&answer), if expected { PASSED } else { REFUSED }, "{networks} from {from}");
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn only_who_has_proven_the_secret_learns_of_the_networks_and_graver_reasons_come_first() {
    let (server, boss) = behind_a_proxy().await;
    let key = key_for(&server, &boss.account, "ci", &["192.0.2.0/24"]).await;
    let unknown = Key { client_id: "0123456789ABCDEF0123456789ABCDEF".to_owned(), ..key.clone() };
    let wrong = Key { secret: foreign_secret(), ..key.clone() };
    let same = line(&exchange_from(&server, &unknown, "198.51.100.1").await);
    assert_eq!(same, "401 invalid_client: Unknown client, or wrong client secret.");
    for from in ["198.51.100.1", "192.0.2.1"] {
        assert_eq!(line(&exchange_from(&server, &wrong, from).await), same);
    }
    let end = json!({ "id": key.id, "expiresAt": "2026-11-21T09:05:00.000Z" });
    boss.caller.change(UPDATE, end).await;
    server.advance(std::time::Duration::from_secs(300));
    let ended = line(&exchange_from(&server, &key, "198.51.100.1").await);
    assert_eq!(ended, "401 invalid_client: This API key has expired.");
    boss.caller.change(DISABLE, selection([&*key.id])).await;
    let disabled = line(&exchange_from(&server, &key, "198.51.100.1").await);
    assert_eq!(disabled, "401 invalid_client: This API key is disabled.");
    server.stop().await;
}

#[tokio::test]
async fn a_refusal_is_logged_with_the_nearest_address_and_does_not_use_up_the_limit() {
    let (server, boss) = behind_a_proxy().await;
    let one = Some(Quota { requests: 1, per_seconds: 3_600 });
    let networks = Some(list(&["192.0.2.0/24"]));
    let scopes = Grants::Scopes(&["keys:read"]);
    let key = server
        .key_with(&boss.account, "ci", scopes, |new| (new.networks, new.token_limit) = (networks, one))
        .await;
    let authorization = basic(&key.client_id, &key.secret);
    for (from, ip) in [("198.51.100.1", "198.51.100.1"), ("unknown", "127.0.0.1")] {
        let headers = [FORM, ("authorization", &*authorization), ("x-forwarded-for", from)];
        let answer = send(&server, &headers, GRANT).await;
        assert_eq!(line(&answer), format!("{REFUSED} [challenged]"));
        assert_eq!((answer.header("ratelimit"), answer.header("ratelimit-policy")), ("", ""));
        let row = server.log().await.pop().unwrap();
        assert_eq!((row.kind, row.outcome), (ActivityKind::TokenRefused, Outcome::NetworkNotAllowed));
        assert_eq!(row.key_id, key.id.parse().ok());
        assert_eq!(row.actor_id, row.key_id.map(|id| id.0));
        assert_eq!((row.owner_id, row.ip.as_deref()), (Some(boss.account.id), Some(ip)));
        assert_eq!(row.request_id.as_deref(), Some(answer.header("x-request-id")));
    }
    let query =
        "{ activity(filter: { outcomes: [NETWORK_NOT_ALLOWED] }) { nodes { outcome apiKey { name } ip } } }";
    let found = boss.caller.graphql(query).await.data()["activity"]["nodes"].take();
    assert_eq!(
        found[1],
        json!({ "outcome": "NETWORK_NOT_ALLOWED", "apiKey": { "name": "ci" }, "ip": "198.51.100.1" })
    );
    assert_eq!(line(&exchange_from(&server, &key, "192.0.2.1").await), PASSED);
    server.stop().await;
}

/// Proves: R-15
#[tokio::test]
async fn a_stored_list_that_cannot_be_read_keeps_everybody_out() {
    let server = Server::start().await;
    let ada = server.user("ada@example.com", &["member"]).await;
    let key = server.key(&ada, "ci", Grants::Scopes(&["keys:read"])).await;
    let caller = server.sign_in(&key).await;
    for stored in ["", "null", "[]", "{}", "0.0.0.0/0", r#"["0.0.0.0/0", "x"]"#, r#"["127.0.0.1/8"]"#] {
        server.run_sql(&format!("UPDATE api_keys SET allowed_networks = '{stored}'")).await;
        assert_eq!(line(&exchange_from(&server, &key, "").await), REFUSED, "{stored}");
        assert!(!alive_from(&caller, "").await, "{stored}");
    }
    server.run_sql("UPDATE api_keys SET allowed_networks = NULL").await;
    assert!(alive_from(&caller, "").await);
    server.stop().await;
}
