//! A bearer of tokens that nothing limits, made where the server runs: for the benchmarks that have it in their own
//! process.

use std::sync::Arc;

use anyhow::{Context as _, anyhow, ensure};
use latchkey::access::Caller;
use latchkey::access::builtin::OPERATOR_ACCOUNT;
use latchkey::actions::keys::{self, Created, NewKey};
use latchkey::actions::tokens::{ExchangeRequest, exchange};
use latchkey::actions::{accounts, roles};
use latchkey::app::App;
use latchkey::app::context::{Context, Origin};
use latchkey::crypto::secret::ClientSecret;
use latchkey::error::Error;
use latchkey::values::{Name, Quota};
use zeroize::Zeroizing;

/// Longer than any run.
const TOKEN_LIFETIME_SECONDS: i32 = 3_600;
const NO_LIMIT: Quota = Quota { requests: 1_000_000_000, per_seconds: 1 };

/// Who makes it: whoever may use the machine.
pub(crate) fn operator(app: &Arc<App>) -> Context {
    Context::new(Arc::clone(app), Caller::Operator, Origin::default(), app.clock.now())
}

/// A key with these built-in roles.
pub(crate) async fn create(cx: &Context, name: &str, role_names: &[&str]) -> anyhow::Result<Created> {
    let mut role_ids = Vec::new();
    for name in role_names {
        role_ids.push(roles::find_by_name(cx, name).await?.context("a built-in role")?.id);
    }
    let new = NewKey {
        name: Name::parse("name", name).map_err(Error::from)?,
        description: None,
        owner: accounts::find_by_name(cx, OPERATOR_ACCOUNT).await?,
        roles: Some(role_ids),
        scopes: None,
        read_only: false,
        networks: None,
        expires_at: None,
        token_lifetime_seconds: Some(TOKEN_LIFETIME_SECONDS),
        token_limit: Some(NO_LIMIT),
        call_limit: Some(NO_LIMIT),
        issue_secret: true,
    };
    Ok(keys::create(cx, new, None).await?)
}

/// A token of the key, with these scopes, or with all that it holds.
pub(crate) async fn token(app: &App, created: Created, scope: Option<&str>) -> anyhow::Result<String> {
    let Created { key, secret } = created;
    let request = ExchangeRequest {
        client_id: key.client_id.clone(),
        client_secret: Zeroizing::new(secret.map(ClientSecret::reveal).context("a key without a secret")?),
        scope: scope.map(str::to_owned),
        resources: Vec::new(),
    };
    let issued = exchange(app, &Origin::default(), &request).await;
    let issued = issued.map_err(|error| anyhow!("the exchange: {error:?}"))?;
    ensure!(issued.expires_in_seconds == i64::from(TOKEN_LIFETIME_SECONDS), "a token of another lifetime");
    Ok(issued.access_token)
}
