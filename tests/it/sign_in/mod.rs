//! Signing in with a password: the console's cookie, what guessing meets, and the first administrator.

mod basic;
mod cross_site;
mod password;
mod races;
mod session;
mod session_end;
mod setup;
mod throttle;
mod whoami;

use std::time::Duration;

use entity::UserId;
use entity::activity::{ActivityFamily, ActivityKind, Model, Outcome};
use latchkey::actions::users::{self, NewUser, WantedPassword};
use reqwest::header::{COOKIE, SET_COOKIE};
use reqwest::{Method, StatusCode};
use sea_orm::{EntityTrait as _, QueryOrder as _};
use serde_json::{Value, json};

use crate::harness::{Account, Answer, BEHIND_A_PROXY, Caller, Server};

/// What people here sign in with.
const PASSWORD: &str = "Zebra-canal-91-mustard";
const OTHER: &str = "Quartz/ferry 77 lantern";
const WRONG: &str = "Walnut+orbit 55 saddle";
const MINUTE: Duration = Duration::from_secs(60);
const MILLISECOND: Duration = Duration::from_millis(1);

/// Whoever presents a cookie, as `name=value`.
#[derive(Clone)]
struct Browser {
    cookie: String,
    guest: Caller,
}

impl Browser {
    async fn graphql(&self, query: &str) -> Answer {
        self.graphql_with(query, json!({})).await
    }

    async fn graphql_with(&self, query: &str, variables: Value) -> Answer {
        let request = self.guest.post("/graphql").json(&json!({ "query": query, "variables": variables }));
        Answer::of(request.header(COOKIE, &self.cookie)).await
    }

    /// The payload of a mutation.
    async fn change(&self, mutation: &str, input: Value) -> Value {
        self.graphql_with(mutation, json!({ "input": input })).await.data()["change"].take()
    }

    /// Whether the sign-in still counts. Asking is a use of it.
    async fn is_in(&self) -> bool {
        let answer = self.graphql("{ viewer { user { id } } }").await;
        if answer.status == StatusCode::OK {
            assert!(answer.data()["viewer"]["user"]["id"].is_string());
            return true;
        }
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (401, "UNAUTHENTICATED"));
        false
    }

    /// The random value alone.
    fn token(&self) -> &str {
        self.cookie.split_once('=').unwrap().1
    }
}

impl Server {
    /// A user with a password and these roles.
    async fn member(&self, email: &str, roles: &[&str]) -> Account {
        let operator = self.operator();
        let mut ids = Vec::new();
        for role in roles {
            ids.push(self.role(role).await.parse().unwrap());
        }
        let new = NewUser {
            email: email.to_owned(),
            display_name: email.to_owned(),
            password: Some(WantedPassword::new(PASSWORD.to_owned().into())),
            roles: Some(ids),
            ..NewUser::default()
        };
        let (account, user) = users::create(&operator, new).await.unwrap();
        Account { id: account.id, public_id: user.id.to_string(), name: user.email }
    }

    /// `POST /session`.
    async fn enter(&self, email: &str, password: &str) -> Answer {
        Answer::of(self.entering(email, password)).await
    }

    /// The same from an address elsewhere, as a trusted proxy tells it.
    async fn enter_from(&self, address: &str, email: &str, password: &str) -> Answer {
        Answer::of(self.entering(email, password).header("x-forwarded-for", address)).await
    }

    fn entering(&self, email: &str, password: &str) -> reqwest::RequestBuilder {
        self.guest().post("/session").json(&json!({ "email": email, "password": password }))
    }

    /// The browser of somebody who signs in.
    async fn browser(&self, email: &str) -> Browser {
        self.browser_of(&self.enter(email, PASSWORD).await)
    }

    /// The browser that this answer to a sign-in went to.
    #[track_caller]
    fn browser_of(&self, answer: &Answer) -> Browser {
        assert_eq!(answer.status, StatusCode::NO_CONTENT, "{}", answer.text);
        let cookie = answer.header(SET_COOKIE.as_str()).split(';').next().unwrap();
        Browser { cookie: cookie.to_owned(), guest: self.guest() }
    }

    /// `DELETE /session` with this cookie; with none, if it is empty.
    async fn leave(&self, cookie: &str) -> Answer {
        let request = self.http.request(Method::DELETE, format!("{}/session", self.url));
        Answer::of(if cookie.is_empty() { request } else { request.header(COOKIE, cookie) }).await
    }

    /// The rows of the log about sign-ins and passwords, oldest first.
    async fn sign_in_log(&self) -> Vec<Model> {
        let about = |row: &Model| {
            row.kind.family() == ActivityFamily::SignIn || row.kind == ActivityKind::PasswordChanged
        };
        self.log().await.into_iter().filter(about).collect()
    }

    /// The same, each as kind and outcome.
    async fn sign_in_outcomes(&self) -> Vec<(ActivityKind, Outcome)> {
        self.sign_in_log().await.iter().map(|row| (row.kind, row.outcome)).collect()
    }

    /// The sign-ins that are stored, ended or not, oldest first.
    #[expect(clippy::disallowed_methods, reason = "tests look at rows without asking for permission")]
    async fn sessions(&self) -> Vec<entity::session::Model> {
        let sessions = entity::session::Entity::find().order_by_asc(entity::session::Column::Id);
        sessions.all(self.app.db.reader()).await.unwrap()
    }

    /// A user as stored.
    #[expect(clippy::disallowed_methods, reason = "tests look at rows without asking for permission")]
    async fn user_row(&self, account: &Account) -> entity::user::Model {
        let user = entity::user::Entity::find_by_id(UserId(account.id.0));
        user.one(self.app.db.reader()).await.unwrap().unwrap()
    }
}

/// A problem without what differs from request to request, and all headers that do not.
#[track_caller]
fn problem(answer: &Answer) -> (u16, Value, Vec<String>) {
    let mut body = answer.json();
    assert_eq!(body["requestId"].take(), answer.header("x-request-id"));
    let same = |name: &str| !["date", "x-request-id"].contains(&name);
    let headers = answer.headers.iter().filter(|(name, _)| same(name.as_str()));
    let mut headers: Vec<String> = headers.map(|(name, value)| format!("{name}: {value:?}")).collect();
    headers.sort();
    (answer.status.as_u16(), body, headers)
}

/// The status and the code of a problem.
#[track_caller]
fn code(answer: &Answer) -> (u16, String) {
    let body = answer.json();
    (answer.status.as_u16(), body["code"].as_str().unwrap_or_else(|| panic!("{body:#}")).to_owned())
}

/// What must not be there is not, neither in the log nor anywhere in the answers.
#[track_caller]
fn assert_unsaid(text: &str, secrets: &[&str]) {
    for (n, secret) in secrets.iter().enumerate() {
        assert!(!text.contains(secret), "secret {n} is told");
    }
}
