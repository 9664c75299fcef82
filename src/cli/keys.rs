//! `latchkey keys`: making keys where the server runs.

use clap::{Args, Subcommand};
use entity::Timestamp;
use serde_json::json;

use super::{operator, print};
use crate::access::builtin::OPERATOR_ACCOUNT;
use crate::actions::keys::{Created, NewKey, create};
use crate::actions::{accounts, keys, roles};
use crate::app::context::Context;
use crate::config::Config;
use crate::crypto::secret::ClientSecret;
use crate::error::Error;
use crate::values::{Name, description};

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Create an API key and print its client id and secret. The secret is not shown again.
    Create(Create),
}

#[derive(Debug, Args)]
pub(super) struct Create {
    /// The name, unique among the owner's keys.
    #[arg(long)]
    name: String,
    /// What it is for, in free text.
    #[arg(long)]
    description: Option<String>,
    /// The name of a role to assign; can be repeated.
    #[arg(long = "role")]
    roles: Vec<String>,
    /// A scope to assign in addition to the roles; can be repeated.
    #[arg(long = "scope")]
    scopes: Vec<String>,
    /// The owner: a user's e-mail address, or the name of a service account.
    #[arg(long, default_value = OPERATOR_ACCOUNT)]
    owner: String,
    /// Make the key read-only: no mutations, and no WRITE scopes.
    #[arg(long)]
    read_only: bool,
    /// The end date, such as 2027-01-31T00:00:00Z; the default of the settings if omitted.
    #[arg(long)]
    expires_at: Option<Timestamp>,
    /// If the owner already has a key of that name, do nothing and exit with 0.
    #[arg(long)]
    if_absent: bool,
    /// Print JSON instead of shell variables.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(config: &Config, verb: Verb) -> anyhow::Result<()> {
    let Verb::Create(options) = verb;
    let (cx, writer) = operator(config).await?;
    let result = make(&cx, &options).await;
    drop(cx);
    writer.finish().await;
    match result? {
        Some(created) => print(&shown(created, &options)),
        None => Ok(()),
    }
}

async fn make(cx: &Context, options: &Create) -> anyhow::Result<Option<Created>> {
    let name = Name::parse("name", &options.name).map_err(Error::from)?;
    let about = options.description.as_deref().map(|text| description("description", text)).transpose();
    let owner = accounts::find_by_name(cx, &options.owner).await?.ok_or_else(|| {
        anyhow::anyhow!(
            "there is no user with the e-mail address `{0}` and no service account named `{0}`",
            options.owner
        )
    })?;
    let mut role_ids = Vec::new();
    for role in &options.roles {
        let found = roles::find_by_name(cx, role).await?;
        role_ids.push(found.ok_or_else(|| anyhow::anyhow!("there is no role named `{role}`"))?.id);
    }
    if options.if_absent && keys::exists(cx, owner, &name).await? {
        return Ok(None);
    }
    let new = NewKey {
        name,
        description: about.map_err(Error::from)?.flatten(),
        owner: Some(owner),
        roles: (!role_ids.is_empty()).then_some(role_ids),
        scopes: (!options.scopes.is_empty()).then(|| options.scopes.clone()),
        read_only: options.read_only,
        networks: None,
        expires_at: options.expires_at,
        token_lifetime_seconds: None,
        token_limit: None,
        call_limit: None,
        issue_secret: true,
    };
    Ok(Some(create(cx, new, None).await?))
}

fn shown(created: Created, options: &Create) -> String {
    let key = created.key;
    let secret = created.secret.map(ClientSecret::reveal).unwrap_or_default();
    if options.json {
        let object = json!({
            "id": key.id.to_string(),
            "name": key.name,
            "owner": options.owner,
            "client_id": key.client_id,
            "client_secret": secret,
        });
        return format!("{object}\n");
    }
    format!("CLIENT_ID={}\nCLIENT_SECRET={secret}\n", key.client_id)
}
