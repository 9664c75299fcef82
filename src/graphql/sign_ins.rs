//! The viewer's own sign-ins and password.

use async_graphql::{Context, InputObject, Object, SimpleObject};
use entity::session;
use zeroize::Zeroizing;

use super::context;
use super::error::{UserError, field_error, payload};
use super::scalars::DateTime;
use crate::actions::sessions::{self as actions, IDLE, LONGEST, Password, WantedPassword};
use crate::error::{Result, UserError as Mistake};

/// An active session of a user who signed in with a password.
#[derive(Clone, Debug, SimpleObject)]
pub(super) struct SignIn {
    /// When the user signed in.
    created_at: DateTime,
    /// When the session was last used, to the minute.
    last_seen_at: DateTime,
    /// When the session expires if it is not used again; at most twelve hours after the sign-in.
    ends_at: DateTime,
    /// The client's IP address.
    ip: Option<String>,
    /// The `User-Agent` header.
    user_agent: Option<String>,
    /// Whether this request was made with this session.
    current: bool,
}

impl From<(session::Model, bool)> for SignIn {
    fn from((session, current): (session::Model, bool)) -> Self {
        let ends_at = session.created_at.plus_seconds(LONGEST).min(session.last_seen_at.plus_seconds(IDLE));
        Self {
            created_at: DateTime(session.created_at),
            last_seen_at: DateTime(session.last_seen_at),
            ends_at: DateTime(ends_at),
            ip: session.ip,
            user_agent: session.user_agent,
            current,
        }
    }
}

/// The viewer's sign-ins that last, newest first.
pub(super) async fn list(ctx: &Context<'_>) -> async_graphql::Result<Vec<SignIn>> {
    let sessions = actions::list(context(ctx)?).await.map_err(field_error)?;
    Ok(sessions.into_iter().map(SignIn::from).collect())
}

/// Input of `changePassword`.
#[derive(InputObject)]
pub(super) struct ChangePasswordInput {
    /// The current password.
    current_password: String,
    /// The new password: at least 12 characters, and not easy to guess.
    new_password: String,
}

impl ChangePasswordInput {
    fn parse(self) -> Result<(Password, WantedPassword)> {
        let wrong = || Mistake::invalid("currentPassword", "The current password is wrong.");
        let current = Password::claimed(Zeroizing::new(self.current_password)).ok_or_else(wrong)?;
        Ok((current, WantedPassword::new(Zeroizing::new(self.new_password))))
    }
}

/// Payload of `changePassword`.
#[derive(Clone, Debug, SimpleObject)]
pub(super) struct ChangePasswordPayload {
    /// Whether the password was changed.
    changed: bool,
    /// Errors that the caller can correct; empty on success.
    user_errors: Vec<UserError>,
}

/// Payload of `signOutEverywhere`.
#[derive(Clone, Debug, SimpleObject)]
pub(super) struct SignOutEverywherePayload {
    /// How many sessions were ended.
    ended: i32,
    /// Errors that the caller can correct; empty on success.
    user_errors: Vec<UserError>,
}

#[derive(Default)]
pub(super) struct SignInMutations;

/// The viewer's own sign-ins and password.
#[Object]
impl SignInMutations {
    /// Changes the caller's own password, and ends all other sessions of the caller.
    async fn change_password(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The current password and the new one.")] input: ChangePasswordInput,
    ) -> async_graphql::Result<Option<ChangePasswordPayload>> {
        let cx = context(ctx)?;
        let change = async {
            let (current, new) = input.parse()?;
            actions::change_password(cx, current, new).await
        };
        let (done, user_errors) = payload(change.await)?;
        Ok(Some(ChangePasswordPayload { changed: done.is_some(), user_errors }))
    }

    /// Ends all sessions of the caller, including the current one. Only available to users who signed in, not to API
    /// keys.
    async fn sign_out_everywhere(
        &self,
        ctx: &Context<'_>,
    ) -> async_graphql::Result<Option<SignOutEverywherePayload>> {
        let (ended, user_errors) = payload(actions::sign_out_everywhere(context(ctx)?).await)?;
        let ended = i32::try_from(ended.unwrap_or_default()).unwrap_or(i32::MAX);
        Ok(Some(SignOutEverywherePayload { ended, user_errors }))
    }
}
