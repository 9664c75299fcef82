//! Making users. So far: administrators, by the command.

use entity::account::{self, AccountKind};
use entity::activity::ActivityKind;
use entity::{AccountId, ObjectKind, UserId, user};

use crate::access::Action;
use crate::access::builtin::ADMIN_ROLE;
use crate::context::Context;
use crate::crypto::password::Password;
use crate::error::{Error, Result, UserError, UserErrorCode};
use crate::store::{accounts, roles};
use crate::values::{Name, email};

/// Makes a user who holds everything. The password is hashed before the transaction opens.
pub async fn create_administrator(
    cx: &Context,
    address: &str,
    name: Option<Name>,
    password: Password,
) -> Result<UserId> {
    cx.may(Action::CreateUser)?;
    let email = email("email", address)?;
    let app = std::sync::Arc::clone(&cx.app);
    let hash = tokio::task::spawn_blocking(move || app.keys.passwords.hash(&*app.entropy, &password))
        .await
        .map_err(Error::internal)?
        .map_err(|error| Error::internal(error.to_string()))?;
    let id = cx.id();
    let display_name = name.map_or_else(|| email.clone(), Name::into_string);
    let tx = cx.begin().await?;
    if let Some(existing) = accounts::user_by_email(&*tx, &email).await? {
        let message = format!("There is a user with the address {email} already.");
        return Err(UserError::new(UserErrorCode::NameTaken, "email", message).about(existing.id).into());
    }
    let role = roles::find_by_name(&*tx, ADMIN_ROLE)
        .await?
        .ok_or_else(|| Error::internal("no administrators' role"))?;
    let actor = cx.caller.actor();
    let account = account::Model {
        id: AccountId(id),
        kind: AccountKind::User,
        active: true,
        generation: 0,
        version: 1,
        created_by_kind: actor.map_or(ObjectKind::System, |actor| actor.kind),
        created_by_id: actor.map(|actor| actor.uuid).filter(|uuid| !uuid.is_nil()),
        created_at: cx.now,
        updated_at: cx.now,
    };
    let user = user::Model {
        id: UserId(id),
        email: email.clone(),
        handle: None,
        display_name,
        password_hash: Some(hash),
        last_sign_in_at: None,
    };
    accounts::add_user(&*tx, account, user).await?;
    roles::give_to_user(&*tx, UserId(id), role.id).await?;
    let mut event = cx.change(ActivityKind::UserCreated, UserId(id).into(), AccountId(id));
    event.detail = Some(serde_json::json!({ "after": { "email": email, "roles": [ADMIN_ROLE] } }));
    cx.record(&tx, &[event]).await?;
    tx.commit().await?;
    Ok(UserId(id))
}

/// Whether anybody could administer this server: what the start screen asks.
pub async fn has_administrator(app: &crate::app::App) -> Result<bool> {
    let db = app.db.reader();
    match roles::find_by_name(db, ADMIN_ROLE).await? {
        Some(role) => accounts::has_administrator(db, role.id).await,
        None => Ok(false),
    }
}
