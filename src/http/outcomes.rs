//! One table: each outcome of the log with its OAuth error, its HTTP status, and its code in GraphQL.

use std::fmt::Write as _;

use entity::activity::Outcome;

use crate::graphql::code;

/// How an outcome shows at each edge.
#[derive(Clone, Copy, Debug)]
pub struct Shown {
    /// The name in the activity log's GraphQL enum.
    pub name: &'static str,
    /// `error` of the token endpoint (RFC 6749, section 5.2), with its HTTP status.
    pub oauth: Option<(&'static str, u16)>,
    /// `extensions.code`, when a token of such a key is used for GraphQL.
    pub graphql: Option<&'static str>,
    /// When it happens.
    pub about: &'static str,
}

const INVALID_CLIENT: (&str, u16) = ("invalid_client", 401);

/// How the outcome shows at each edge. No wildcard: a new outcome must say what it looks like.
pub fn shown(outcome: Outcome) -> Shown {
    let row = |name, oauth, graphql, about| Shown { name, oauth, graphql, about };
    let refused = |name, about| row(name, Some(INVALID_CLIENT), Some(code::UNAUTHENTICATED), about);
    match outcome {
        Outcome::Ok => row("OK", None, None, "It was done."),
        Outcome::BadSecret => row("BAD_SECRET", Some(INVALID_CLIENT), None, "The client secret is wrong."),
        Outcome::UnknownClient => {
            row("UNKNOWN_CLIENT", Some(INVALID_CLIENT), None, "There is no such client.")
        }
        Outcome::Disabled => refused("DISABLED", "The API key is disabled."),
        Outcome::Expired => refused("EXPIRED", "The API key has ended."),
        Outcome::Deleted => refused("DELETED", "The API key has been deleted."),
        Outcome::OwnerInactive => refused("OWNER_INACTIVE", "The owner of the API key is deactivated."),
        Outcome::UseNotPermitted => {
            refused("USE_NOT_PERMITTED", "The owner of the API key lacks the scope keys:use.")
        }
        Outcome::Pending => refused("PENDING", "The API key waits for approval."),
        Outcome::NetworkNotAllowed => {
            refused("NETWORK_NOT_ALLOWED", "The API key may not be used from this address.")
        }
        Outcome::PasswordAccessOff => row(
            "PASSWORD_ACCESS_OFF",
            None,
            Some(code::UNAUTHENTICATED),
            "The settings do not let passwords be used at the API; signing in to the console is unaffected.",
        ),
        Outcome::InvalidScope => row(
            "INVALID_SCOPE",
            Some(("invalid_scope", 400)),
            None,
            "A scope was asked for that the API key does not hold, or there is none to grant.",
        ),
        Outcome::InvalidTarget => row(
            "INVALID_TARGET",
            Some(("invalid_target", 400)),
            None,
            "There is no API with the given resource (RFC 8707).",
        ),
        Outcome::RateLimited => row(
            "RATE_LIMITED",
            Some(("rate_limited", 429)),
            Some(code::RATE_LIMITED),
            "A limit is reached; Retry-After says when to try again.",
        ),
    }
}

/// The reference of all outcomes and codes.
pub fn reference() -> String {
    let mut page = String::from(
        "# Outcomes and errors\n\nGenerated. The activity log knows how every exchange ended; of many refusals \
         from one network in a minute it has the first five and the number of the others. The client is told what it may know. An unknown client and a wrong secret look the same from outside.\n\n\
         | outcome in the log | `error` of the token endpoint | status | `extensions.code` in GraphQL | when |\n\
         | --- | --- | --- | --- | --- |\n",
    );
    for outcome in Outcome::all() {
        let Shown { name, oauth, graphql, about } = shown(outcome);
        let (error, status) = oauth.map_or(("-".to_owned(), "-".to_owned()), |(error, status)| {
            (format!("`{error}`"), status.to_string())
        });
        let graphql = graphql.map_or("-".to_owned(), |code| format!("`{code}`"));
        let _ = writeln!(page, "| `{name}` | {error} | {status} | {graphql} | {about} |");
    }
    page.push_str(OTHERS);
    for (code, status, when) in code::ALL {
        let _ = writeln!(page, "| `{code}` | {status} | {when} |");
    }
    page.push_str(PROBLEMS);
    page
}

const OTHERS: &str = "
`/oauth/revoke` and `/oauth/introspect` tell the same of a client and its secret. Further errors of the three, which are not logged:

| `error` | status | when |
| --- | --- | --- |
| `invalid_request` | 400 | A parameter is missing, repeated or malformed, or two ways to authenticate were used. |
| `invalid_request` | 405 | The method is not POST. |
| `invalid_request` | 413 | The body is longer than 8 KiB; than 64 KiB, if it tells of a token. |
| `invalid_scope` | 400 | The scope is not a list of names with single spaces between. |
| `unsupported_grant_type` | 400 | `grant_type` is not `client_credentials`. |
| `invalid_client` | 401 | No credentials, or an `Authorization` header that is not Basic. |
| `invalid_token` | 401 | The access token that the client authenticates with is not valid (any more), or for another API. |
| `insufficient_scope` | 403 | At `/oauth/introspect`: the client does not hold `tokens:introspect`. |
| `invalid_grant` | 400 | At `/oauth/revoke`: the token is another client's. |
| `rate_limited` | 429 | At `/oauth/introspect`: the limit of calls is reached; Retry-After says when to try again. |
| `temporarily_unavailable` | 503 | The database does not answer, or its disk has little room left; Retry-After says when to try again. |
| `server_error` | 500 | A defect; the log has the details under the request's id. |

Codes of GraphQL errors (`extensions.code`), beside those above:

| code | status of `application/graphql-response+json` | when |
| --- | --- | --- |
";

const PROBLEMS: &str = "
Under `application/json`, which older clients send, what was refused after its parameters were read has status 200 instead of 400 or 404.

Codes of problem details (RFC 9457), on every path that is neither `/graphql` nor OAuth:

| `code` | status | when |
| --- | --- | --- |
| `NOT_FOUND` | 404 | There is nothing at this path. |
| `UNAUTHENTICATED` | 401 | No credential, or one that is not valid (any more). |
| `FORBIDDEN` | 403 | At `/auth/verify`: the token lacks a scope that is demanded; the challenge names all that are. |
| `RATE_LIMITED` | 429 | The limit of the API key is reached, or there were too many attempts to sign in; Retry-After says when to try again. |
| `BAD_USER_INPUT` | 400, 413, 415 | The request is not what the path takes; `detail` says what is. |
| `INSECURE` | 403 | Signing in over plain HTTP beyond this machine. |
| `METHOD_NOT_ALLOWED` | 405 | The path does not answer to this method; `Allow` lists those it does. |
| `CROSS_ORIGIN` | 403 | A request with the console's cookie that does not come from the console's own pages; on any path. |
| `UNAVAILABLE` | 503 | The database does not answer, or its disk has little room left; Retry-After says when to try again. |
| `INTERNAL` | 500 | A defect; the log has the details under the request's id. |
";
