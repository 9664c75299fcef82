//! The first administrator: whoever can read a file of the server's own may become one, once, within an hour.

use entity::account::AccountKind;
use entity::activity::ActivityKind;
use entity::{Timestamp, UserId, setup_token, user};

use crate::access::Caller;
use crate::access::builtin::ADMIN_ROLE;
use crate::app::App;
use crate::app::context::{Context, Origin};
use crate::app::edits::must_be_free;
use crate::app::passwords::judge;
use crate::crypto::digest::sha256_hex;
use crate::crypto::secret::{SessionToken, session_token};
use crate::error::{Error, Result};
use crate::store::{accounts, roles, sessions};
use crate::values::{Name, email};

pub use crate::crypto::password::WantedPassword;

/// How long a setup token works, in seconds.
pub const LIFETIME: i64 = 3600;

/// What the first administrator is made from.
#[derive(Debug)]
pub struct FirstAdministrator {
    pub token: String,
    pub email: String,
    pub display_name: Option<String>,
    pub password: WantedPassword,
}

/// Makes a new setup token in the place of an older one; none, if there is an administrator.
pub async fn renew_token(app: &App) -> Result<Option<SessionToken>> {
    let tx = app.db.begin_directory().await?;
    let needed = !accounts::has_active_administrator(&*tx).await?;
    let token = needed.then(|| session_token(&*app.entropy));
    let row = token.as_ref().map(|token| setup_token::Model {
        id: 1,
        token_hash: sha256_hex(token.as_bytes()),
        expires_at: app.clock.now().plus_seconds(LIFETIME),
    });
    sessions::set_setup_token(&*tx, row).await?;
    tx.commit().await?;
    Ok(token)
}

/// Makes the first administrator. Of several at the same time one succeeds.
pub async fn first_administrator(
    app: &std::sync::Arc<App>,
    origin: &Origin,
    new: FirstAdministrator,
) -> Result<UserId> {
    let now = app.clock.now();
    let email = email("email", &new.email)?;
    let name = match &new.display_name {
        Some(name) => Name::parse("displayName", name)?.into_string(),
        None => email.clone(),
    };
    let password = judge("password", new.password, &[&email, &name])?;
    // Before the password costs anything.
    check(sessions::setup_token(app.db.reader()).await?, &new.token, now)?;
    let hash = app.passwords.hash(password).await?;
    let cx = Context::new(std::sync::Arc::clone(app), Caller::Operator, origin.clone(), now);
    let tx = cx.begin_directory().await?;
    check(sessions::setup_token(&*tx).await?, &new.token, now)?;
    // The command may have made one meanwhile.
    if accounts::has_active_administrator(&*tx).await? {
        return Err(Error::Unauthenticated);
    }
    let role = roles::find_by_name(&*tx, ADMIN_ROLE).await?;
    let role = role.ok_or_else(|| Error::internal("no administrators' role"))?;
    let holder = accounts::user_by_email(&*tx, &email).await?.map(|user| user.id);
    must_be_free("email", holder, None, || {
        format!("A user with the e-mail address {email} already exists.")
    })?;
    let id = UserId(cx.id());
    let account = accounts::new_account(id.into(), AccountKind::User, cx.caller.actor(), now);
    let row = user::Model {
        id,
        email: email.clone(),
        handle: None,
        display_name: name,
        password_hash: Some(hash),
        last_sign_in_at: None,
    };
    accounts::add_user(&*tx, account, row).await?;
    roles::set_of_user(&*tx, id, &[role.id]).await?;
    sessions::set_setup_token(&*tx, None).await?;
    let event = cx.change(ActivityKind::UserCreated, id, entity::AccountId::from(id));
    let detail = serde_json::json!({ "after": { "email": email, "roles": [ADMIN_ROLE] }, "by": "setup" });
    cx.record_change(&tx, event, detail).await?;
    tx.commit().await?;
    Ok(id)
}

/// The token is the one in the file, and its hour has not passed.
fn check(stored: Option<setup_token::Model>, token: &str, now: Timestamp) -> Result<()> {
    // Digests of random values: comparing them tells nothing of the value.
    let right = stored
        .is_some_and(|stored| stored.expires_at > now && stored.token_hash == sha256_hex(token.as_bytes()));
    if right { Ok(()) } else { Err(Error::Unauthenticated) }
}
