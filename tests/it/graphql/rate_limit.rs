//! What a request costs: the field says what the headers say.

use std::time::Duration;

use serde_json::json;

use crate::harness::{Grants, Server};

const QUERY: &str = "{ rateLimit { policy limit perSeconds remaining resetSeconds cost } viewer { scopes } }";

#[tokio::test]
async fn the_field_and_the_headers_name_the_same_figures() {
    let server = Server::start().await;
    let ada = server.user("ada@example.com", &["member"]).await;
    let quota = latchkey::values::Quota { requests: 100, per_seconds: 50 };
    let key = server.key_with(&ada, "ci", Grants::Inherit, |new| new.call_limit = Some(quota)).await;
    let caller = server.sign_in(&key).await;
    for (advance, remaining, reset) in [(0, 91, 5), (0, 82, 9), (2, 77, 12), (60, 91, 5)] {
        server.advance(Duration::from_secs(advance));
        let answer = caller.graphql(QUERY).await;
        let figures = &answer.data()["rateLimit"];
        assert_eq!(
            *figures,
            json!({
                "policy": "call", "limit": 100, "perSeconds": 50,
                "remaining": remaining, "resetSeconds": reset, "cost": 9,
            })
        );
        assert_eq!(answer.header("ratelimit-policy"), "\"call\";q=100;w=50");
        assert_eq!(answer.header("ratelimit"), format!("\"call\";r={remaining};t={reset}"));
    }
    server.stop().await;
}
