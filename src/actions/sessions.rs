//! Signing in with a password, and out again. A sign-in lasts twelve hours at most, and half an hour without use.

use entity::activity::{ActivityKind, Outcome};
use entity::{SessionId, Timestamp, UserId, session};

use crate::access::{Action, Caller, Person};
use crate::app::App;
use crate::app::context::{Context, Origin, person};
use crate::app::passwords::{judge, known_of};
use crate::crypto::digest::sha256_hex;
use crate::crypto::secret::session_token;
use crate::error::{Error, Result, UserError};
use crate::store::accounts::UserRow;
use crate::store::activity::Event;
use crate::store::{accounts, log, sessions, settings};

pub use crate::crypto::password::{Password, WantedPassword};
pub use crate::crypto::secret::SessionToken;

/// The longest life of a sign-in, in seconds.
pub const LONGEST: i64 = 12 * 3600;
/// How long it lives without use, in seconds.
pub const IDLE: i64 = 30 * 60;
/// How exactly its last use is kept, in seconds.
const SEEN_EVERY: i64 = 60;

/// Why somebody was not recognised.
#[derive(Debug)]
pub enum SignInError {
    /// Unknown, wrong or stopped: from outside all the same.
    Refused,
    /// Too many attempts for this account from this network, or from this network altogether.
    TooMany,
    /// Passwords are not accepted here.
    PasswordsOff,
    Failed(Error),
}

impl From<Error> for SignInError {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// Signs a user in, and gives the value of the cookie for the only time.
pub async fn sign_in(
    app: &App,
    origin: &Origin,
    email: &str,
    password: Password,
) -> Result<SessionToken, SignInError> {
    let now = app.clock.now();
    let (_, user) = check_password(app, origin, email, password).await?;
    let token = session_token(&*app.entropy);
    let session = session::Model {
        id: SessionId(crate::entropy::id(&*app.entropy, now)),
        token_hash: sha256_hex(token.as_bytes()),
        user_id: user.id,
        created_at: now,
        last_seen_at: now,
        ip: origin.ip.map(|ip| ip.to_string()),
        user_agent: origin.user_agent.as_deref().map(str::to_owned),
    };
    let tx = app.db.begin_directory().await?;
    // Whoever was stopped, or got another password, while this one was checked does not come in with it.
    let still = accounts::user_by_id(&*tx, user.id).await?;
    if !still.is_some_and(|(account, now)| account.active && now.password_hash == user.password_hash) {
        return Err(SignInError::Refused);
    }
    sessions::remove_ended(&*tx, now.plus_seconds(-LONGEST), now.plus_seconds(-IDLE)).await?;
    sessions::add(&*tx, session).await?;
    sessions::set_last_sign_in(&*tx, user.id, now).await?;
    let signed_in = event(origin, now, (ActivityKind::SignedIn, Outcome::Ok), Some(user.id));
    log::append(&*tx, &app.activity_ids, &[signed_in]).await?;
    tx.commit().await?;
    Ok(token)
}

/// Recognises a user by e-mail address and password. Attempts are counted before the password is looked at, for each
/// account and network, so that nobody is locked out by somebody elsewhere.
async fn check_password(
    app: &App,
    origin: &Origin,
    email: &str,
    password: Password,
) -> Result<UserRow, SignInError> {
    let email = email.trim().to_lowercase();
    if !origin.ip.is_none_or(|ip| app.limits.sign_in(&email, ip)) {
        return Err(SignInError::TooMany);
    }
    // PostgreSQL fails on a text with U+0000; no address has one.
    let plain = (!email.contains('\0')).then_some(email);
    let user = match plain {
        Some(email) => accounts::user_with_account(app.db.reader(), &email).await?,
        None => None,
    };
    let stored = user.as_ref().and_then(|(_, user)| user.password_hash.clone());
    let right = app.passwords.verify(password, stored).await?;
    let outcome = match &user {
        None => Outcome::UnknownClient,
        Some(_) if !right => Outcome::BadSecret,
        Some((account, _)) if !account.active => Outcome::OwnerInactive,
        Some(_) => Outcome::Ok,
    };
    match user {
        Some(user) if outcome == Outcome::Ok => Ok(user),
        user => {
            let who = user.map(|(_, user)| user.id);
            let refused = event(origin, app.clock.now(), (ActivityKind::SignInRefused, outcome), who);
            app.journal.record(refused).await?;
            Err(SignInError::Refused)
        }
    }
}

/// Whether the settings let people send their password with each request.
pub async fn passwords_accepted(app: &App) -> Result<bool> {
    Ok(settings::load(app.db.reader()).await?.password_api_access)
}

/// Recognises a user who sends the password with each request, if the settings allow that.
pub async fn with_password(
    app: &App,
    origin: &Origin,
    email: &str,
    password: Password,
) -> Result<Caller, SignInError> {
    if !passwords_accepted(app).await? {
        let off = (ActivityKind::SignInRefused, Outcome::PasswordAccessOff);
        // A flood from one network does not fill the log.
        if origin.ip.is_none_or(|ip| app.limits.unwanted_password(ip)) {
            app.journal.record(event(origin, app.clock.now(), off, None)).await?;
        }
        return Err(SignInError::PasswordsOff);
    }
    let (_, user) = check_password(app, origin, email, password).await?;
    Ok(person(app, user.id, None).await?)
}

/// Recognises whoever presents the cookie; nobody, if the sign-in has ended.
pub async fn recognise(app: &App, token: &str) -> Result<Caller> {
    let now = app.clock.now();
    let found = sessions::by_token(app.db.reader(), &sha256_hex(token.as_bytes())).await?;
    let alive = |session: &session::Model| {
        now < session.created_at.plus_seconds(LONGEST) && now < session.last_seen_at.plus_seconds(IDLE)
    };
    let Some(session) = found.filter(alive) else { return Err(Error::Unauthenticated) };
    if session.last_seen_at.plus_seconds(SEEN_EVERY) <= now {
        let tx = app.db.begin().await?;
        sessions::seen(&*tx, session.id, now).await?;
        tx.commit().await?;
    }
    person(app, session.user_id, Some(session.id)).await
}

/// Ends the sign-in of a cookie; nothing happens if it has ended before.
pub async fn sign_out(app: &App, origin: &Origin, token: &str) -> Result<()> {
    let Some(session) = sessions::by_token(app.db.reader(), &sha256_hex(token.as_bytes())).await? else {
        return Ok(());
    };
    let tx = app.db.begin().await?;
    sessions::end(&*tx, session.id).await?;
    let out = (ActivityKind::SignedOut, Outcome::Ok);
    let out = event(origin, app.clock.now(), out, Some(session.user_id));
    log::append(&*tx, &app.activity_ids, &[out]).await?;
    tx.commit().await
}

/// The viewer's sign-ins that last, newest first; and which of them this request came with.
pub async fn list(cx: &Context) -> Result<Vec<(session::Model, bool)>> {
    cx.may(Action::ViewSelf)?;
    let Some((user, current)) = who(cx) else { return Ok(Vec::new()) };
    let mut sessions = sessions::of_user(cx.app.db.reader(), user).await?;
    sessions.retain(|session| {
        cx.now < session.created_at.plus_seconds(LONGEST) && cx.now < session.last_seen_at.plus_seconds(IDLE)
    });
    Ok(sessions.into_iter().map(|session| (session.clone(), Some(session.id) == current)).collect())
}

/// Ends all sign-ins of the viewer, this one too. Says how many there were. A key is weaker than its owner and cannot put
/// them out; a new password, which ends sign-ins too, asks whoever comes with a key for the old one.
pub async fn sign_out_everywhere(cx: &Context) -> Result<u64> {
    cx.may(Action::EditSelf)?;
    let Caller::Person(Person { user, .. }) = cx.caller else {
        let message = "An API key cannot end sessions. Sign in as the user, or change the password.";
        return Err(UserError { field: Vec::new(), ..UserError::invalid("", message) }.into());
    };
    // However little room the disk has: ending sign-ins takes none to speak of.
    let tx = cx.app.db.begin().await?;
    let ended = sessions::end_all(&*tx, user, None).await?;
    let out = event(&cx.origin, cx.now, (ActivityKind::SignedOut, Outcome::Ok), Some(user));
    let detail = Some(serde_json::json!({ "signIns": ended }).into());
    cx.record(&tx, &[Event { detail, actor: cx.caller.actor(), ..out }]).await?;
    tx.commit().await?;
    Ok(ended)
}

/// Changes the viewer's own password, who must know the old one. Other sign-ins end.
pub async fn change_password(cx: &Context, current: Password, new: WantedPassword) -> Result<()> {
    cx.may(Action::EditSelf)?;
    let Some((id, session)) = who(cx) else {
        return Err(UserError::invalid("currentPassword", "A service account has no password.").into());
    };
    let (_, user) = accounts::user_by_id(cx.app.db.reader(), id)
        .await?
        .ok_or_else(|| Error::internal("a caller that is no user"))?;
    let new = judge("newPassword", new, &known_of(&user))?;
    let wrong = || Error::from(UserError::invalid("currentPassword", "The current password is wrong."));
    if !cx.origin.ip.is_none_or(|ip| cx.app.limits.sign_in(&user.email, ip)) {
        let message = "Too many attempts. Wait a minute.";
        return Err(UserError::invalid("currentPassword", message).into());
    }
    if !cx.app.passwords.verify(current, user.password_hash.clone()).await? {
        return Err(wrong());
    }
    let hash = cx.app.passwords.hash(new).await?;
    let tx = cx.begin_directory().await?;
    // The password that was known may have been replaced meanwhile.
    let Some((_, fresh)) = accounts::user_by_id(&*tx, id).await? else { return Err(wrong()) };
    if fresh.password_hash != user.password_hash {
        return Err(wrong());
    }
    accounts::replace_user(&*tx, &entity::user::Model { password_hash: Some(hash), ..fresh }).await?;
    sessions::end_all(&*tx, id, session).await?;
    cx.record(&tx, &[cx.change(ActivityKind::PasswordChanged, id, entity::AccountId::from(id))]).await?;
    tx.commit().await
}

/// The user who asks, in person or through a key of theirs, and the sign-in.
fn who(cx: &Context) -> Option<(UserId, Option<SessionId>)> {
    match &cx.caller {
        Caller::Person(person) => Some((person.user, person.session)),
        Caller::Machine(machine) if machine.owner_kind == entity::account::AccountKind::User => {
            Some((UserId(machine.owner.0), None))
        }
        Caller::Machine(_) | Caller::Anonymous | Caller::Operator => None,
    }
}

fn event(
    origin: &Origin,
    now: Timestamp,
    (kind, outcome): (ActivityKind, Outcome),
    user: Option<UserId>,
) -> Event {
    Event {
        actor: user.filter(|_| outcome == Outcome::Ok).map(Into::into),
        owner: user.map(Into::into),
        target: user.map(Into::into),
        ..origin.event(now, kind, outcome)
    }
}
