//! The `oauth2` crate as it comes, against the token endpoint: what it takes for granted must hold.

use std::time::Duration;

use oauth2::basic::{BasicClient, BasicErrorResponseType, BasicTokenResponse, BasicTokenType};
use oauth2::http::Response;
use oauth2::{
    AuthType, ClientId, ClientSecret, HttpRequest, HttpResponse, RequestTokenError, Scope,
    StandardErrorResponse, TokenResponse as _, TokenUrl,
};

use super::wire::foreign_secret;
use crate::harness::{Grants, Key, Server};

type Failure = RequestTokenError<reqwest::Error, StandardErrorResponse<BasicErrorResponseType>>;

/// The one thing the crate leaves to others.
async fn send(http: reqwest::Client, request: HttpRequest) -> Result<HttpResponse, reqwest::Error> {
    let answer = http.execute(request.try_into()?).await?;
    let mut response = Response::new(Vec::new());
    *response.status_mut() = answer.status();
    *response.headers_mut() = answer.headers().clone();
    *response.body_mut() = answer.bytes().await?.to_vec();
    Ok(response)
}

async fn exchange(
    server: &Server,
    key: &Key,
    auth: AuthType,
    scopes: &[&str],
) -> Result<BasicTokenResponse, Failure> {
    let client = BasicClient::new(ClientId::new(key.client_id.clone()))
        .set_client_secret(ClientSecret::new(key.secret.clone()))
        .set_token_uri(TokenUrl::new(format!("{}/oauth/token", server.url)).unwrap())
        .set_auth_type(auth);
    let scopes = scopes.iter().map(|scope| Scope::new((*scope).to_owned()));
    let http = |request| send(server.http.clone(), request);
    client.exchange_client_credentials().add_scopes(scopes).request_async(&http).await
}

async fn started() -> (Server, Key) {
    let server = Server::start().await;
    let robot = server.service_account("robot").await;
    let key = server.key(&robot, "ci", Grants::Scopes(&["keys:read", "roles:read"])).await;
    (server, key)
}

/// Proves
#[tokio::test]
async fn it_exchanges_in_both_of_its_ways() {
    let (server, key) = started().await;
    for auth in [AuthType::BasicAuth, AuthType::RequestBody] {
        let token = exchange(&server, &key, auth, &[]).await.unwrap();
        assert_eq!(token.token_type(), &BasicTokenType::Bearer);
        assert_eq!(token.expires_in(), Some(Duration::from_secs(600)));
        let scopes: Vec<&str> = token.scopes().unwrap().iter().map(|scope| scope.as_str()).collect();
        assert_eq!(scopes, ["keys:read", "roles:read"]);
        server.bearer(token.access_token().secret()).graphql("{ viewer { scopes } }").await.data();
    }
    let narrow = exchange(&server, &key, AuthType::BasicAuth, &["roles:read"]).await.unwrap();
    assert_eq!(narrow.scopes(), Some(&vec![Scope::new("roles:read".to_owned())]));
    server.stop().await;
}

#[tokio::test]
async fn it_understands_why_it_is_refused() {
    let (server, key) = started().await;
    let wrong = Key { secret: foreign_secret(), ..key.clone() };
    for auth in [AuthType::BasicAuth, AuthType::RequestBody] {
        let Err(RequestTokenError::ServerResponse(refused)) =
            exchange(&server, &wrong, auth.clone(), &[]).await
        else {
            panic!("the crate did not understand the answer");
        };
        assert_eq!(refused.error(), &BasicErrorResponseType::InvalidClient);
        let description = refused.error_description().map(String::as_str);
        assert_eq!(description, Some("Unknown client, or wrong client secret."));
        let Err(RequestTokenError::ServerResponse(refused)) =
            exchange(&server, &key, auth, &["keys:write"]).await
        else {
            panic!("the crate did not understand the answer");
        };
        assert_eq!(refused.error(), &BasicErrorResponseType::InvalidScope);
    }
    server.stop().await;
}
