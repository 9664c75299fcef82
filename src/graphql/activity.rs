//! The activity log.

use async_graphql::{Context, Enum, ID, InputObject, Object};
use entity::{GlobalId, KeyId, ObjectKind, activity};

use super::accounts::{Actor, Owner, actor, owner_row};
use super::context;
use super::error::field_error;
use super::keys::ApiKey;
use super::loaders::load;
use super::node::Node;
use super::page::{ActivityConnection, PageArguments, page_cost};
use super::scalars::{DateTime, Json, Long, parse_ids, parse_owners};
use crate::actions;
use crate::actions::activity::ActivityFilter as Filter;

/// The four families of events in the activity log. Values can be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "activity::ActivityFamily")]
pub(super) enum ActivityFamily {
    /// An object was created, changed or deleted.
    Change,
    /// An access token was issued, refused or revoked.
    Token,
    /// A user signed in or out, or was refused.
    SignIn,
    /// A request was made with an access token.
    Call,
}

/// The kind of event. Values can be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "activity::ActivityKind")]
pub(super) enum ActivityKind {
    /// An API key was created.
    KeyCreated,
    /// The properties, roles or scopes of an API key were changed.
    KeyUpdated,
    /// An API key was enabled again.
    KeyEnabled,
    /// An API key was disabled.
    KeyDisabled,
    /// An API key was deleted.
    KeyDeleted,
    /// A new secret was issued for an API key.
    SecretRegenerated,
    /// The previous secret of an API key was invalidated before its grace period was over.
    RotationFinished,
    /// An API key that was pending approval was approved.
    KeyApproved,
    /// An API key that was pending approval was rejected, and so deleted.
    KeyRejected,
    /// A user was created.
    UserCreated,
    /// A user's properties, roles or groups were changed.
    UserUpdated,
    /// A user was deactivated, and with the user every API key that belongs to the user.
    UserDeactivated,
    /// A user was reactivated.
    UserReactivated,
    /// A user's password was set or changed.
    PasswordChanged,
    /// A service account was created.
    ServiceAccountCreated,
    /// A service account was changed.
    ServiceAccountUpdated,
    /// A service account was deleted.
    ServiceAccountDeleted,
    /// A group was created.
    GroupCreated,
    /// A group's properties, roles or members were changed.
    GroupUpdated,
    /// A group was deleted.
    GroupDeleted,
    /// A role was created.
    RoleCreated,
    /// A role's properties or scopes were changed.
    RoleUpdated,
    /// A role was deleted.
    RoleDeleted,
    /// An API was created.
    ApiCreated,
    /// An API was changed.
    ApiUpdated,
    /// An API was deleted.
    ApiDeleted,
    /// A scope was created.
    ScopeCreated,
    /// A scope was changed.
    ScopeUpdated,
    /// A scope was deleted.
    ScopeDeleted,
    /// The settings were changed.
    SettingsUpdated,
    /// The server switched to another signing key.
    SigningKeyRotated,
    /// An access token was issued.
    TokenIssued,
    /// The token endpoint, or another endpoint that takes the client secret, refused a client; `outcome` has the
    /// reason.
    TokenRefused,
    /// A single access token was revoked.
    TokenRevoked,
    /// A user signed in.
    SignedIn,
    /// A sign-in was refused; `outcome` has the reason.
    SignInRefused,
    /// A user signed out of one session or of all.
    SignedOut,
}

/// The result of an event. Values can be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "activity::Outcome")]
pub(super) enum Outcome {
    /// It succeeded.
    Ok,
    /// The client secret was wrong.
    BadSecret,
    /// There is no client with this client id.
    UnknownClient,
    /// The API key is disabled.
    Disabled,
    /// The API key has expired.
    Expired,
    /// The API key has been deleted.
    Deleted,
    /// The owner of the API key is deactivated.
    OwnerInactive,
    /// The owner of the API key does not hold `keys:use`.
    UseNotPermitted,
    /// The API key is pending approval.
    Pending,
    /// The request asked for a scope that the API key does not hold, or there was no scope to grant.
    InvalidScope,
    /// No API has the identifier given as `resource`.
    InvalidTarget,
    /// A rate limit was exceeded.
    RateLimited,
    /// The client address is not in the allowed networks of the API key.
    NetworkNotAllowed,
    /// API access with a password is turned off in the settings.
    PasswordAccessOff,
}

/// One entry of the activity log.
#[derive(Clone, Debug)]
pub(super) struct Activity(pub activity::Model);

/// One entry of the activity log.
#[Object]
impl Activity {
    /// The id, such as `act_01j9…`. Ids sort in the order of the log.
    pub(super) async fn id(&self) -> ID {
        ID(self.0.id.to_string())
    }

    /// When it happened.
    async fn at(&self) -> DateTime {
        DateTime(self.0.at)
    }

    /// The family of `kind`.
    async fn family(&self) -> ActivityFamily {
        self.0.kind.family().into()
    }

    /// What happened.
    async fn kind(&self) -> ActivityKind {
        self.0.kind.into()
    }

    /// The result.
    async fn outcome(&self) -> Outcome {
        self.0.outcome.into()
    }

    /// Who did it; null if unknown, or if it was an API key that the caller cannot see.
    async fn actor(&self, ctx: &Context<'_>) -> async_graphql::Result<Option<Actor>> {
        actor(ctx, self.0.actor_kind, self.0.actor_id).await
    }

    /// The API key that the event concerns or that was used; null if the caller cannot see it.
    async fn api_key(&self, ctx: &Context<'_>) -> async_graphql::Result<Option<ApiKey>> {
        let Some(id) = self.0.key_id else { return Ok(None) };
        Ok(load(ctx, id).await?.map(ApiKey::new))
    }

    /// The account that the event concerns.
    async fn owner(&self, ctx: &Context<'_>) -> async_graphql::Result<Option<Owner>> {
        let Some(id) = self.0.owner_id else {
            return Ok(None);
        };
        Ok(owner_row(ctx, id).await?.map(|owner| Owner::from(&*owner)))
    }

    /// The object that was changed; null if the caller cannot see it.
    async fn target(&self, ctx: &Context<'_>) -> async_graphql::Result<Option<Node>> {
        Ok(match (self.0.target_kind, self.0.target_id) {
            (Some(ObjectKind::User | ObjectKind::ServiceAccount), Some(id)) => {
                owner_row(ctx, entity::AccountId(id)).await?.map(|owner| Owner::from(&*owner).into())
            }
            // One that the viewer may not see is nobody's business, and no error of the row.
            (Some(kind), Some(uuid)) => load(ctx, GlobalId { kind, uuid }).await?.and_then(Result::ok),
            _ => None,
        })
    }

    /// The client's IP address.
    async fn ip(&self) -> Option<&str> {
        self.0.ip.as_deref()
    }

    /// The `User-Agent` header of the request.
    async fn user_agent(&self) -> Option<&str> {
        self.0.user_agent.as_deref()
    }

    /// The request id, as in the response and in the server's log.
    async fn request_id(&self) -> Option<&str> {
        self.0.request_id.as_deref()
    }

    /// The `jti` of the token that was issued.
    async fn token_id(&self) -> Option<&str> {
        self.0.token_id.as_deref()
    }

    /// The number of events this entry stands for. It is 1, except for an entry that counts refused exchanges: when
    /// many are refused within a minute, only the first ones have entries of their own.
    async fn count(&self) -> Long {
        Long(self.0.count)
    }

    /// For changes, the values before and after; for tokens, scope and audience; for an entry that counts many
    /// refusals, the time of the first and the network they came from (no network if there were several). Never
    /// contains a secret.
    async fn detail(&self) -> Option<Json> {
        self.0.detail.as_deref().and_then(|detail| serde_json::from_str(detail).ok()).map(Json)
    }
}

/// Filters the activity log. All conditions must hold; a list matches any of its values.
#[derive(Clone, Debug, Default, InputObject)]
pub(super) struct ActivityFilter {
    /// At or after this time.
    from: Option<DateTime>,
    /// Before this time.
    to: Option<DateTime>,
    /// In any of these families.
    families: Option<Vec<ActivityFamily>>,
    /// Of any of these kinds.
    kinds: Option<Vec<ActivityKind>>,
    /// With any of these outcomes.
    outcomes: Option<Vec<Outcome>>,
    /// Concerning any of these API keys, or done with one of them.
    api_key_ids: Option<Vec<ID>>,
    /// Concerning any of these users and service accounts.
    owner_ids: Option<Vec<ID>>,
    /// Done by any of these users, service accounts and API keys.
    actor_ids: Option<Vec<ID>>,
    /// From exactly this IP address.
    ip: Option<String>,
    /// Belonging to this request.
    request_id: Option<String>,
}

impl ActivityFilter {
    fn parse(self) -> crate::error::Result<Filter> {
        let owners = self.owner_ids.map(|ids| parse_owners("ownerIds", &ids)).transpose()?;
        Ok(Filter {
            from: self.from.map(|from| from.0),
            to: self.to.map(|to| to.0),
            families: self.families.map(|families| families.into_iter().map(Into::into).collect()),
            kinds: self.kinds.map(|kinds| kinds.into_iter().map(Into::into).collect()),
            outcomes: self.outcomes.map(|outcomes| outcomes.into_iter().map(Into::into).collect()),
            keys: self.api_key_ids.map(|ids| parse_ids("apiKeyIds", &ids)).transpose()?,
            owners,
            actors: self.actor_ids.map(|ids| parse_ids("actorIds", &ids)).transpose()?,
            ip: self.ip,
            request_id: self.request_id,
        })
    }
}

#[derive(Default)]
pub(super) struct ActivityQueries;

/// The activity log.
#[Object]
impl ActivityQueries {
    /// The activity log, newest first. Without `activity:read:any`, only entries that concern the caller's own account.
    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    #[expect(clippy::too_many_arguments, reason = "these are the arguments of the GraphQL field")]
    async fn activity(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which entries to return; all if omitted.")] filter: Option<ActivityFilter>,
        #[graphql(
            desc = "Page size, counted from the start of the list; from 0 to 100, by default 50. Not together with `last`."
        )]
        first: Option<i32>,
        #[graphql(desc = "Return rows after this cursor.")] after: Option<String>,
        #[graphql(
            desc = "Page size, counted from the end of the list; from 0 to 100. Not together with `first`."
        )]
        last: Option<i32>,
        #[graphql(desc = "Return rows before this cursor.")] before: Option<String>,
    ) -> async_graphql::Result<Option<ActivityConnection>> {
        let filter = filter.unwrap_or_default().parse().map_err(field_error)?;
        list(ctx, &filter, PageArguments { first, after, last, before }).await.map(Some)
    }
}

/// The activity of one API key, of that part of the log which the filter names.
pub(super) async fn of_key(
    ctx: &Context<'_>,
    key: KeyId,
    filter: Option<ActivityFilter>,
    page: PageArguments,
) -> async_graphql::Result<ActivityConnection> {
    let mut filter = filter.unwrap_or_default().parse().map_err(field_error)?;
    let wanted = filter.keys.is_none_or(|keys| keys.contains(&key));
    filter.keys = Some(wanted.then_some(key).into_iter().collect());
    list(ctx, &filter, page).await
}

async fn list(
    ctx: &Context<'_>,
    filter: &Filter,
    page: PageArguments,
) -> async_graphql::Result<ActivityConnection> {
    let request = page.parse().map_err(field_error)?;
    let page = actions::activity::list(context(ctx)?, filter, &request).await.map_err(field_error)?;
    ActivityConnection::new(page, |row| Activity(row.into_row())).map_err(field_error)
}
