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
        Outcome::Ok => row("OK", None, None, "It succeeded."),
        Outcome::BadSecret => row("BAD_SECRET", Some(INVALID_CLIENT), None, "The client secret is wrong."),
        Outcome::UnknownClient => {
            row("UNKNOWN_CLIENT", Some(INVALID_CLIENT), None, "There is no client with this client id.")
        }
        Outcome::Disabled => refused("DISABLED", "The API key is disabled."),
        Outcome::Expired => refused("EXPIRED", "The API key has expired."),
        Outcome::Deleted => refused("DELETED", "The API key has been deleted."),
        Outcome::OwnerInactive => refused("OWNER_INACTIVE", "The owner of the API key is deactivated."),
        Outcome::UseNotPermitted => {
            refused("USE_NOT_PERMITTED", "The owner of the API key does not hold the scope `keys:use`.")
        }
        Outcome::Pending => refused("PENDING", "The API key is pending approval."),
        Outcome::NetworkNotAllowed => refused(
            "NETWORK_NOT_ALLOWED",
            "The client address is not in the allowed networks of the API key.",
        ),
        Outcome::PasswordAccessOff => row(
            "PASSWORD_ACCESS_OFF",
            None,
            Some(code::UNAUTHENTICATED),
            "API access with a password is turned off in the settings. Signing in to the console is not \
                affected.",
        ),
        Outcome::InvalidScope => row(
            "INVALID_SCOPE",
            Some(("invalid_scope", 400)),
            None,
            "The request asked for a scope that the API key does not hold, or there was no scope to grant.",
        ),
        Outcome::InvalidTarget => row(
            "INVALID_TARGET",
            Some(("invalid_target", 400)),
            None,
            "No API has the identifier given as `resource` (RFC 8707).",
        ),
        Outcome::RateLimited => row(
            "RATE_LIMITED",
            Some(("rate_limited", 429)),
            Some(code::RATE_LIMITED),
            "A rate limit was exceeded. `Retry-After` says when to try again.",
        ),
    }
}

/// The reference of all outcomes and codes.
pub fn reference() -> String {
    let mut page = String::from(
        "# Outcomes and errors\n\nGenerated. The activity log records the outcome of every token exchange. When one network causes many \
         refusals in a minute, the log has the first five and a count of the rest. Responses reveal less than the log: \
         for example, an unknown client and a wrong secret look the same to the client.\n\n\
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
`/oauth/revoke` and `/oauth/introspect` return the same errors for a client and its secret. The three endpoints have further errors, which are not logged:

| `error` | status | when |
| --- | --- | --- |
| `invalid_request` | 400 | A parameter is missing, repeated or malformed, or two ways to authenticate were used. |
| `invalid_request` | 405 | The method is not POST. |
| `invalid_request` | 413 | The body is longer than 8 KiB, or 64 KiB at `/oauth/revoke` and `/oauth/introspect`. |
| `invalid_scope` | 400 | `scope` is not a list of names separated by single spaces. |
| `unsupported_grant_type` | 400 | `grant_type` is not `client_credentials`. |
| `invalid_client` | 401 | There are no client credentials, or the `Authorization` header is not Basic. |
| `invalid_token` | 401 | The access token that the client authenticates with is invalid, expired, or issued for another API. |
| `insufficient_scope` | 403 | At `/oauth/introspect`: the client does not hold `tokens:introspect`. |
| `invalid_grant` | 400 | At `/oauth/revoke`: the token was issued to another client. |
| `rate_limited` | 429 | At `/oauth/introspect`: the call rate limit is exceeded. `Retry-After` says when to try again. |
| `temporarily_unavailable` | 503 | The database is unavailable, or its disk is almost full. `Retry-After` says when to try again. |
| `server_error` | 500 | An internal error. The server's log has the details under the request id. |

Codes of GraphQL errors (`extensions.code`):

| code | status of `application/graphql-response+json` | when |
| --- | --- | --- |
";

const PROBLEMS: &str = "
With `application/json`, which older clients accept, errors after the parameters were read have status 200 instead of 400 or 404.

Codes of problem details (RFC 9457), on all paths other than `/graphql` and the OAuth endpoints:

| `code` | status | when |
| --- | --- | --- |
| `NOT_FOUND` | 404 | There is nothing at this path. |
| `UNAUTHENTICATED` | 401 | The request has no valid access token, session or password. |
| `FORBIDDEN` | 403 | At `/auth/verify`: the access token lacks a required scope. `WWW-Authenticate` lists all required scopes. |
| `RATE_LIMITED` | 429 | The rate limit of the API key is exceeded, or there were too many sign-in attempts. `Retry-After` says when to try again. |
| `BAD_USER_INPUT` | 400, 413, 415 | The request is invalid; `detail` says what is expected. |
| `INSECURE` | 403 | Sign-in over plain HTTP from another machine. |
| `METHOD_NOT_ALLOWED` | 405 | The method is not allowed; `Allow` lists the methods that are. |
| `CROSS_ORIGIN` | 403 | A request on any path has the console's cookie but does not come from a page of the console. |
| `UNAVAILABLE` | 503 | The database is unavailable, or its disk is almost full. `Retry-After` says when to try again. |
| `INTERNAL` | 500 | An internal error. The server's log has the details under the request id. |
";
