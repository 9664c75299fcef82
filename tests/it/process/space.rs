//! Little room on the disk: what makes the data grow is refused, the rest goes on.

use serde_json::json;

use crate::harness::keys::{CREATE, DISABLE, selection};
use crate::harness::{Grants, Server, postgres_only, sqlite_only};

/// More than any disk has.
const ALWAYS_LOW: &str = "low_disk_space_bytes = 9223372036854775807";

mod postgres_only {
    use super::*;

    #[tokio::test]
    async fn the_room_on_the_disk_of_postgresql_is_its_own_business() {
        postgres_only();
        let server = Server::start().await;
        let robot = server.service_account("robot").await;
        let key = server.key(&robot, "ci", Grants::Scopes(&["keys:read"])).await;
        let server = server.restart(ALWAYS_LOW).await;
        assert_eq!(server.exchange(&key, &[]).await.status, 200);
        server.stop().await;
    }
}

mod sqlite_only {
    use super::*;

    #[tokio::test]
    async fn with_little_room_exchanges_and_changes_wait_and_the_rest_goes_on() {
        sqlite_only();
        let server = Server::start().await;
        let boss = server.person("boss@example.com", &["admin"]).await;
        let key = server.key(&boss.account, "ci", Grants::Inherit).await;
        let public = "public_url = 'https://keys.example.com'";
        let server = server.restart(public).await;
        let token = server.sign_in(&boss.key).await.token;

        let server = server.restart(&format!("{public}\n{ALWAYS_LOW}")).await;
        let mut caller = server.guest();
        caller.token = token;
        let before = server.log().await.len();
        let refused = server.exchange(&key, &[]).await;
        assert_eq!((refused.status.as_u16(), refused.header("retry-after")), (503, "1"));
        assert_eq!(refused.json()["error"], "temporarily_unavailable");
        for (mutation, input) in [(CREATE, json!({ "name": "new" })), (DISABLE, selection([&*key.id]))] {
            let body = json!({ "query": mutation, "variables": { "input": input } });
            let refused = caller.send(caller.post("/graphql").json(&body)).await;
            assert_eq!(refused.code(), "UNAVAILABLE");
        }
        assert_eq!(caller.graphql("{ viewer { scopes } apiKeys { totalCount } }").await.status, 200);
        for path in ["/healthz", "/readyz"] {
            assert_eq!(caller.send(caller.get(path)).await.status, 200, "{path}");
        }
        assert_eq!(server.log().await.len(), before);

        let server = server.restart(&format!("{public}\nlow_disk_space_bytes = 0")).await;
        assert_eq!(server.exchange(&key, &[]).await.status, 200);
        server.stop().await;
    }
}
