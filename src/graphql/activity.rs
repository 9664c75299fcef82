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

/// The four families of the log. Values can be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "activity::ActivityFamily")]
pub(super) enum ActivityFamily {
    /// Something was made, changed or removed.
    Change,
    /// A token was issued, refused or revoked.
    Token,
    /// Somebody signed in or out, or was refused.
    SignIn,
    /// A request was made with a token.
    Call,
}

/// What happened. Values can be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "activity::ActivityKind")]
pub(super) enum ActivityKind {
    /// An API key was made.
    KeyCreated,
    /// An API key's properties or grants were changed.
    KeyUpdated,
    /// An API key may be used again.
    KeyEnabled,
    /// An API key was stopped.
    KeyDisabled,
    /// An API key was stopped for good.
    KeyDeleted,
    /// An API key got a new secret.
    SecretRegenerated,
    /// The previous secret of an API key was ended before its time.
    RotationFinished,
    /// An API key that waited for approval may be used.
    KeyApproved,
    /// An API key that waited for approval was stopped for good.
    KeyRejected,
    /// A user was made.
    UserCreated,
    /// A user's properties, roles or groups were changed.
    UserUpdated,
    /// A user was stopped, with all keys that belong to them.
    UserDeactivated,
    /// A user may be used again.
    UserReactivated,
    /// A user's password was set or changed.
    PasswordChanged,
    /// A service account was made.
    ServiceAccountCreated,
    /// A service account was changed.
    ServiceAccountUpdated,
    /// A service account was deleted.
    ServiceAccountDeleted,
    /// A group was made.
    GroupCreated,
    /// A group's properties, roles or members were changed.
    GroupUpdated,
    /// A group was deleted.
    GroupDeleted,
    /// A role was made.
    RoleCreated,
    /// A role's properties or scopes were changed.
    RoleUpdated,
    /// A role was deleted.
    RoleDeleted,
    /// An API was made.
    ApiCreated,
    /// An API was changed.
    ApiUpdated,
    /// An API was deleted.
    ApiDeleted,
    /// A scope was made.
    ScopeCreated,
    /// A scope was changed.
    ScopeUpdated,
    /// A scope was deleted.
    ScopeDeleted,
    /// The settings were changed.
    SettingsUpdated,
    /// The server signs with another key.
    SigningKeyRotated,
    /// An access token was issued.
    TokenIssued,
    /// A client was refused at the token endpoint, or at another that takes its secret; the outcome says why.
    TokenRefused,
    /// An access token was revoked by itself.
    TokenRevoked,
    /// Somebody signed in.
    SignedIn,
    /// Somebody was refused to sign in; the outcome says why.
    SignInRefused,
    /// Somebody signed out, here or everywhere.
    SignedOut,
}

/// How something ended. Values can be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "activity::Outcome")]
pub(super) enum Outcome {
    /// It was done.
    Ok,
    /// The client secret was wrong.
    BadSecret,
    /// There is no such client.
    UnknownClient,
    /// The API key is disabled.
    Disabled,
    /// The API key has ended.
    Expired,
    /// The API key has been deleted.
    Deleted,
    /// The owner of the API key is deactivated.
    OwnerInactive,
    /// The owner of the API key may not use API keys.
    UseNotPermitted,
    /// The API key waits for approval.
    Pending,
    /// A scope was asked for that the API key does not hold, or there is none to grant.
    InvalidScope,
    /// There is no API with the address that was given as `resource`.
    InvalidTarget,
    /// A limit was reached.
    RateLimited,
    /// The API key may not be used from this address.
    NetworkNotAllowed,
    /// The settings do not let passwords be used at the API.
    PasswordAccessOff,
}

/// One row of the activity log.
#[derive(Clone, Debug)]
pub(super) struct Activity(pub activity::Model);

/// One row of the activity log.
#[Object]
impl Activity {
    /// The id, such as `act_01j9…`. Ids ascend in the order of the log.
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

    /// How it ended.
    async fn outcome(&self) -> Outcome {
        self.0.outcome.into()
    }

    /// Who did it; null when nobody was recognised, or for an API key out of the viewer's sight.
    async fn actor(&self, ctx: &Context<'_>) -> async_graphql::Result<Option<Actor>> {
        actor(ctx, self.0.actor_kind, self.0.actor_id).await
    }

    /// The API key that it was about or done with; null when it is out of the viewer's sight.
    async fn api_key(&self, ctx: &Context<'_>) -> async_graphql::Result<Option<ApiKey>> {
        let Some(id) = self.0.key_id else { return Ok(None) };
        Ok(load(ctx, id).await?.map(ApiKey::new))
    }

    /// The account that it concerns.
    async fn owner(&self, ctx: &Context<'_>) -> async_graphql::Result<Option<Owner>> {
        let Some(id) = self.0.owner_id else {
            return Ok(None);
        };
        Ok(owner_row(ctx, id).await?.map(|owner| Owner::from(&*owner)))
    }

    /// The object that was changed; null when it is out of the viewer's sight.
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

    /// The address that it came from.
    async fn ip(&self) -> Option<&str> {
        self.0.ip.as_deref()
    }

    /// The user agent that it came from.
    async fn user_agent(&self) -> Option<&str> {
        self.0.user_agent.as_deref()
    }

    /// The id of the request, as its answer and the server's log have it.
    async fn request_id(&self) -> Option<&str> {
        self.0.request_id.as_deref()
    }

    /// The `jti` of the token that was issued.
    async fn token_id(&self) -> Option<&str> {
        self.0.token_id.as_deref()
    }

    /// How many events this row stands for: of refused exchanges that are many, one row has the number of those of a minute.
    async fn count(&self) -> Long {
        Long(self.0.count)
    }

    /// Before and after for changes, scope and audience for tokens, the first instant and the network of a row that stands for
    /// many refusals (no network: for those of several). Never a secret.
    async fn detail(&self) -> Option<Json> {
        self.0.detail.as_deref().and_then(|detail| serde_json::from_str(detail).ok()).map(Json)
    }
}

/// Which rows of the log: all conditions hold together, a list means any of its values.
#[derive(Clone, Debug, Default, InputObject)]
pub(super) struct ActivityFilter {
    /// Not before this.
    from: Option<DateTime>,
    /// Before this.
    to: Option<DateTime>,
    /// Of these families.
    families: Option<Vec<ActivityFamily>>,
    /// Of these kinds.
    kinds: Option<Vec<ActivityKind>>,
    /// With these outcomes.
    outcomes: Option<Vec<Outcome>>,
    /// About or done with these API keys.
    api_key_ids: Option<Vec<ID>>,
    /// Concerning these users and service accounts.
    owner_ids: Option<Vec<ID>>,
    /// Done by these users, service accounts and API keys.
    actor_ids: Option<Vec<ID>>,
    /// From exactly this address.
    ip: Option<String>,
    /// Of this request.
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
    /// The activity log, newest first. Without `activity:read:any`, what concerns the viewer's own account.
    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    #[expect(clippy::too_many_arguments, reason = "these are the arguments of the GraphQL field")]
    async fn activity(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which rows; all when left out.")] filter: Option<ActivityFilter>,
        #[graphql(desc = "The length of a page from the start; at most 100.")] first: Option<i32>,
        #[graphql(desc = "Begin after this cursor.")] after: Option<String>,
        #[graphql(desc = "The length of a page from the end; at most 100.")] last: Option<i32>,
        #[graphql(desc = "End before this cursor.")] before: Option<String>,
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
