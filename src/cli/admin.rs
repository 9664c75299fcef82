//! `latchkey admin`: the first administrator, and later ones.

use std::io::Read as _;

use anyhow::{Context as _, bail};
use clap::Subcommand;
use zeroize::Zeroizing;

use super::{operator, print};
use crate::actions::users;
use crate::config::Config;
use crate::crypto::password::WantedPassword;
use crate::error::Error;
use crate::values::{self, Name};

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Create a user with the role `admin`.
    Create {
        /// The user's e-mail address.
        #[arg(long)]
        email: String,
        /// The display name; the e-mail address if omitted.
        #[arg(long)]
        display_name: Option<String>,
        /// Read the password from standard input: other users of the machine can see command-line options.
        #[arg(long, required = true)]
        password_stdin: bool,
    },
}

pub(super) async fn run(config: &Config, verb: Verb) -> anyhow::Result<()> {
    let Verb::Create { email, display_name, password_stdin } = verb;
    let email = values::email("email", &email).map_err(Error::from)?;
    if !password_stdin {
        bail!("pass the password on standard input, with --password-stdin");
    }
    let name = display_name
        .map(|name| Name::parse("display-name", &name))
        .transpose()
        .map_err(|error| anyhow::anyhow!("--display-name: {}", error.message))?;
    let password = read_password()?;
    let (cx, writer) = operator(config).await?;
    let result = users::create_administrator(&cx, &email, name, password).await;
    drop(cx);
    writer.finish().await;
    let id = result.map_err(|error| match error {
        Error::Refused(refused) if refused.field == ["password"] => {
            anyhow::anyhow!("invalid password: {}", refused.message)
        }
        error => error.into(),
    })?;
    print(&format!("Created the administrator {email} ({id}).\n"))
}

/// The first line of standard input.
fn read_password() -> anyhow::Result<WantedPassword> {
    let mut input = Zeroizing::new(String::new());
    std::io::stdin().read_to_string(&mut input).context("cannot read the password from standard input")?;
    Ok(WantedPassword::new(Zeroizing::new(input.lines().next().unwrap_or_default().to_owned())))
}
