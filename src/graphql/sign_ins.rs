//! The viewer's own sign-ins and password.

use async_graphql::{Context, InputObject, Object, SimpleObject};
use entity::session;
use zeroize::Zeroizing;

use super::context;
use super::error::{UserError, field_error, payload};
use super::scalars::DateTime;
use crate::actions::sessions::{self as actions, IDLE, LONGEST, Password, WantedPassword};
use crate::error::{Result, UserError as Mistake};

/// A sign-in with a password that lasts.
#[derive(Clone, Debug, SimpleObject)]
pub(super) struct SignIn {
    /// When it began.
    created_at: DateTime,
    /// When it was last used, to the minute.
    last_seen_at: DateTime,
    /// When it ends, unless it is used before: twelve hours after it began, at the latest.
    ends_at: DateTime,
    /// From which address.
    ip: Option<String>,
    /// With which program, as it calls itself.
    user_agent: Option<String>,
    /// Whether this request came with it.
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

/// The old password and the new one.
#[derive(InputObject)]
pub(super) struct ChangePasswordInput {
    /// The password that the viewer has now.
    current_password: String,
    /// The one to have from now on: at least 12 characters, and not easy to guess.
    new_password: String,
}

impl ChangePasswordInput {
    fn parse(self) -> Result<(Password, WantedPassword)> {
        let wrong = || Mistake::invalid("currentPassword", "This is not your password.");
        let current = Password::claimed(Zeroizing::new(self.current_password)).ok_or_else(wrong)?;
        Ok((current, WantedPassword::new(Zeroizing::new(self.new_password))))
    }
}

/// What became of a change of the viewer's password.
#[derive(Clone, Debug, SimpleObject)]
pub(super) struct ChangePasswordPayload {
    /// Whether it was changed.
    changed: bool,
    /// What the caller can correct; empty if all went well.
    user_errors: Vec<UserError>,
}

/// What became of the viewer's sign-ins.
#[derive(Clone, Debug, SimpleObject)]
pub(super) struct SignOutEverywherePayload {
    /// How many sign-ins were ended.
    ended: i32,
    /// What the caller can correct; empty if all went well.
    user_errors: Vec<UserError>,
}

#[derive(Default)]
pub(super) struct SignInMutations;

/// The viewer's own sign-ins and password.
#[Object]
impl SignInMutations {
    /// Changes the viewer's own password; ends the viewer's other sign-ins.
    async fn change_password(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The old password and the new one.")] input: ChangePasswordInput,
    ) -> async_graphql::Result<Option<ChangePasswordPayload>> {
        let cx = context(ctx)?;
        let change = async {
            let (current, new) = input.parse()?;
            actions::change_password(cx, current, new).await
        };
        let (done, user_errors) = payload(change.await)?;
        Ok(Some(ChangePasswordPayload { changed: done.is_some(), user_errors }))
    }

    /// Ends all of the viewer's sign-ins, the one that asks too. An API key cannot: only who signed in can.
    async fn sign_out_everywhere(
        &self,
        ctx: &Context<'_>,
    ) -> async_graphql::Result<Option<SignOutEverywherePayload>> {
        let (ended, user_errors) = payload(actions::sign_out_everywhere(context(ctx)?).await)?;
        let ended = i32::try_from(ended.unwrap_or_default()).unwrap_or(i32::MAX);
        Ok(Some(SignOutEverywherePayload { ended, user_errors }))
    }
}
