//! The server on one store, in this process and without a socket: what clients would send is given to its router.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, Request};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use latchkey::access::builtin::ADMIN_ROLE;
use latchkey::app::{App, Writer};
use latchkey::clock::SystemClock;
use latchkey::config::Config;
use latchkey::entropy::SystemEntropy;
use latchkey::graphql::Schema;
use latchkey::http::{AppState, router};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::bearer;
use crate::cases::{CASES, Case};
use crate::generator::Store;

const ISSUER: &str = "http://127.0.0.1";
const ANSWER_LIMIT: usize = 1024 * 1024;

pub(crate) struct Subject {
    router: Router,
    token: String,
    writer: Writer,
    /// The request of each case.
    queries: HashMap<&'static str, String>,
}

impl Subject {
    pub(crate) async fn start(store: &Store) -> anyhow::Result<Self> {
        let config = Config::from_toml(&store.settings)?;
        let (app, writer) =
            App::open(&config, ISSUER.to_owned(), SystemClock::shared(), SystemEntropy::shared()).await?;
        let token = sign_in(&app).await?;
        let router = router(AppState { app, schema: Schema::build() });
        let mut subject = Self { router, token, writer, queries: HashMap::new() };
        for case in CASES {
            let query = subject.query(store, case).await?;
            subject.queries.insert(case.name, query);
        }
        Ok(subject)
    }

    /// The text of a case's request, with the keys of this store in the place of words.
    async fn query(&self, store: &Store, case: &Case) -> anyhow::Result<String> {
        let middle = store.middle()?;
        let of_middle = format!("apiKeys(filter: {{ ids: [\"{middle}\"] }})");
        let data = self.ask(&format!("{{ {of_middle} {{ nodes {{ clientId secrets {{ hint }} owner {{ ... on User {{ id }} }} }} }} }}")).await?;
        let key = data.pointer("/apiKeys/nodes/0").context("a key in the middle")?;
        let text = |place: &str| key.pointer(place).and_then(Value::as_str).context("a key with everything");
        let order = case.order.map(|order| format!(", orderBy: {order}")).unwrap_or_default();
        let cursor =
            format!("{{ apiKeys(filter: {{ ids: [\"{middle}\"] }}{order}) {{ pageInfo {{ endCursor }} }} }}");
        let data = self.ask(&cursor).await?;
        let cursor = data.pointer("/apiKeys/pageInfo/endCursor").context("a cursor")?.to_string();
        let arguments = case
            .arguments
            .replace("CURSOR", &cursor)
            .replace("CLIENT", &text("/clientId")?[..12])
            .replace("HINT", text("/secrets/0/hint")?)
            .replace("OWNER", text("/owner/id")?);
        let fields = case.fields;
        Ok(format!("{{ apiKeys({arguments}{order}) {{ {fields} }} }}"))
    }

    /// How long a request takes, until its answer is there as a whole.
    pub(crate) async fn time(&self, case: &Case) -> anyhow::Result<Duration> {
        let query = self.queries.get(case.name).context("a case with a request")?;
        let before = now();
        let data = self.ask(query).await?;
        let time = before.elapsed();
        let found = data.pointer("/apiKeys/nodes").and_then(Value::as_array).map_or(0, Vec::len);
        ensure!(found >= case.rows, "{}: {found} rows", case.name);
        Ok(time)
    }

    /// The data of the answer, which has no errors.
    pub(crate) async fn ask(&self, query: &str) -> anyhow::Result<Value> {
        let mut request = Request::post("/graphql")
            .header(AUTHORIZATION, format!("Bearer {}", self.token))
            .header(CONTENT_TYPE, "application/json")
            .body(Body::from(json!({ "query": query }).to_string()))?;
        request.extensions_mut().insert(ConnectInfo(SocketAddr::from((Ipv4Addr::LOCALHOST, 1))));
        let answer = self.router.clone().oneshot(request).await?;
        let mut answer: Value = serde_json::from_slice(&to_bytes(answer.into_body(), ANSWER_LIMIT).await?)?;
        ensure!(answer.get("errors").is_none(), "{query}: {answer}");
        Ok(answer["data"].take())
    }

    pub(crate) async fn stop(self) {
        drop(self.router);
        self.writer.finish().await;
    }
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// The token of a new key that may do everything. The keys of earlier runs stay in the store, where they are lost in the crowd.
async fn sign_in(app: &Arc<App>) -> anyhow::Result<String> {
    let cx = bearer::operator(app);
    let caller = bearer::create(&cx, &format!("caller {}", cx.now), &[ADMIN_ROLE]).await?;
    bearer::token(app, caller, None).await
}
