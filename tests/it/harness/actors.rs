//! Who sends requests: a key with its secret, and the bearer of a token.

use std::time::Duration;

use reqwest::header::{HeaderMap, WWW_AUTHENTICATE};
use reqwest::{RequestBuilder, StatusCode};
use serde_json::{Value, json};

use super::{HANGS, Server};

/// The setting under which requests say where they come from: each network has a limit of wrong credentials.
pub const BEHIND_A_PROXY: &str = "trusted_proxies = ['127.0.0.1/32']";

/// A key and its secret.
#[derive(Clone)]
pub struct Key {
    pub id: String,
    pub client_id: String,
    pub secret: String,
}

/// The bearer of a token; of none, for a guest.
#[derive(Clone)]
pub struct Caller {
    pub token: Option<String>,
    http: reqwest::Client,
    url: String,
    /// Sends again what a server had no time for: one that is a process of its own gives up as early as in production.
    retries: bool,
}

/// An HTTP answer, read whole.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    pub async fn of(request: RequestBuilder) -> Self {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        Self { status, headers, text: response.text().await.unwrap() }
    }

    /// The answer that is not a request to try again.
    pub async fn at_last(request: RequestBuilder) -> Self {
        let asking = async {
            loop {
                let answer = Self::of(request.try_clone().unwrap()).await;
                if answer.status != StatusCode::SERVICE_UNAVAILABLE
                    && !answer.text.contains("\"UNAVAILABLE\"")
                {
                    return answer;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        tokio::time::timeout(HANGS, asking).await.unwrap()
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error} in {}", self.text))
    }

    /// A header as text; empty if it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    pub fn challenge(&self) -> &str {
        self.header(WWW_AUTHENTICATE.as_str())
    }

    /// The data of a GraphQL answer that must have no errors.
    #[track_caller]
    pub fn data(&self) -> Value {
        let body = self.json();
        assert_eq!(body.get("errors"), None, "{body:#}");
        body["data"].clone()
    }

    /// The `extensions.code` of the first GraphQL error.
    #[track_caller]
    pub fn code(&self) -> String {
        let body = self.json();
        body["errors"][0]["extensions"]["code"]
            .as_str()
            .unwrap_or_else(|| panic!("no code in {body:#}"))
            .to_owned()
    }
}

impl Server {
    /// How many reads there were before a request of this caller, when all that the gate knows of them is in memory.
    pub async fn reads_before(&self, caller: &Caller) -> u64 {
        self.app.registry.poll_changes().await.unwrap();
        caller.graphql("{ __typename }").await;
        self.app.db.reads()
    }

    /// A request to `/oauth/token` with these form parameters and Basic credentials.
    pub async fn exchange(&self, key: &Key, parameters: &[(&str, &str)]) -> Answer {
        let mut form = vec![("grant_type", "client_credentials")];
        form.extend_from_slice(parameters);
        Answer::of(
            self.http
                .post(format!("{}/oauth/token", self.url))
                .basic_auth(&key.client_id, Some(&key.secret))
                .header("content-type", "application/x-www-form-urlencoded")
                .body(encoded(&form)),
        )
        .await
    }

    /// The same from another address, at a server that was started with [`BEHIND_A_PROXY`].
    pub async fn exchange_from(&self, address: &str, key: &Key) -> Answer {
        let request = self.http.post(format!("{}/oauth/token", self.url));
        let request =
            request.basic_auth(&key.client_id, Some(&key.secret)).header("x-forwarded-for", address);
        let form = encoded(&[("grant_type", "client_credentials")]);
        Answer::of(request.header("content-type", "application/x-www-form-urlencoded").body(form)).await
    }

    /// The bearer of a token that this key was exchanged for.
    #[track_caller]
    pub fn sign_in<'a>(&'a self, key: &'a Key) -> impl Future<Output = Caller> + 'a {
        self.sign_in_with(key, &[])
    }

    /// The same, with further parameters of the exchange.
    pub async fn sign_in_with(&self, key: &Key, parameters: &[(&str, &str)]) -> Caller {
        let answer = self.exchange(key, parameters).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        self.bearer(answer.json()["access_token"].as_str().unwrap())
    }

    /// Whoever presents this token.
    pub fn bearer(&self, token: &str) -> Caller {
        Caller { token: Some(token.to_owned()), ..self.guest() }
    }

    /// Somebody without a token.
    pub fn guest(&self) -> Caller {
        Caller { token: None, http: self.http.clone(), url: self.url.clone(), retries: false }
    }
}

impl Caller {
    /// Somebody without a token, before a server that is a process of its own.
    pub fn guest_of(url: &str) -> Self {
        let http = reqwest::Client::builder().timeout(HANGS).build().unwrap();
        Self { token: None, http, url: url.to_owned(), retries: true }
    }

    /// The bearer of a token that this key is exchanged for, at the same server.
    pub async fn sign_in(&self, key: &Key) -> Self {
        let exchange = json!({ "client_id": key.client_id, "client_secret": key.secret });
        let answer = self.ask(self.post("/api/v2/authenticate").json(&exchange)).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        Self { token: answer.json().as_str().map(str::to_owned), ..self.clone() }
    }

    /// A GraphQL request without variables.
    pub async fn graphql(&self, query: &str) -> Answer {
        self.graphql_with(query, json!({})).await
    }

    pub async fn graphql_with(&self, query: &str, variables: Value) -> Answer {
        self.send(self.post("/graphql").json(&json!({ "query": query, "variables": variables }))).await
    }

    /// A POST to one of the server's paths, to be completed.
    pub fn post(&self, path: &str) -> RequestBuilder {
        self.http.post(format!("{}{path}", self.url))
    }

    pub fn get(&self, path: &str) -> RequestBuilder {
        self.http.get(format!("{}{path}", self.url))
    }

    /// Sends a request with the caller's token.
    pub async fn send(&self, request: RequestBuilder) -> Answer {
        match &self.token {
            Some(token) => self.ask(request.bearer_auth(token)).await,
            None => self.ask(request).await,
        }
    }

    async fn ask(&self, request: RequestBuilder) -> Answer {
        if self.retries { Answer::at_last(request).await } else { Answer::of(request).await }
    }
}

/// Form parameters as a body.
pub fn encoded(form: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish()
}
