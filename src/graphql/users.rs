//! Users: their lists, and what changes them. The type itself is in `accounts.rs`.

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object, SimpleObject};
use entity::{GroupId, RoleId};
use zeroize::Zeroizing;

use super::accounts::User;
use super::context;
use super::error::{UserError, field_error, payload};
use super::keys::ApiKey;
use super::page::{PageArguments, UserConnection, counted, page_cost};
use super::scalars::{given, parse_id, parse_ids, search};
use crate::actions::accounts::UserRow;
use crate::actions::keys::Key;
use crate::actions::users as actions;
use crate::actions::users::{NewUser, UserChanges, UserFilter as Filter, WantedPassword};
use crate::error::Result;
use crate::values::{Name, email, handle};

/// Filters a list of users. All conditions must hold; a list matches any of its values.
#[derive(Clone, Debug, Default, InputObject)]
pub(super) struct UserFilter {
    /// Text contained in the e-mail address, the handle or the name, ignoring case; with fewer than three characters,
    /// the beginning of one of these. At most 100 characters.
    search: Option<String>,
    /// Active, or deactivated.
    active: Option<bool>,
    /// Members of any of these groups.
    group_ids: Option<Vec<ID>>,
    /// Holding any of these roles, directly or through groups.
    role_ids: Option<Vec<ID>>,
}

impl UserFilter {
    fn parse(self) -> Result<Filter> {
        Ok(Filter {
            search: search(self.search)?,
            active: self.active,
            groups: self.group_ids.map(|ids| parse_ids::<GroupId>("groupIds", &ids)).transpose()?,
            roles: self.role_ids.map(|ids| parse_ids::<RoleId>("roleIds", &ids)).transpose()?,
        })
    }
}

/// One list of users: for the root field and for the members of a group.
pub(super) async fn list(
    ctx: &Context<'_>,
    filter: &Filter,
    page: PageArguments,
) -> async_graphql::Result<UserConnection> {
    let cx = context(ctx)?;
    let request = page.parse().map_err(field_error)?;
    let page = actions::list(cx, filter, &request).await.map_err(field_error)?;
    let count = counted(ctx, actions::count(cx, filter)).await?;
    UserConnection::new(page, User::from, count).map_err(field_error)
}

/// Input of `createUser`.
#[derive(InputObject)]
pub(super) struct CreateUserInput {
    /// The e-mail address, unique; stored in lower case.
    email: String,
    /// A short unique name, if the organization assigns one (the user key).
    handle: Option<String>,
    /// The display name.
    display_name: String,
    /// The password to sign in with; none if omitted.
    password: Option<String>,
    /// The ids of the roles to assign; the role `member` if omitted.
    role_ids: Option<Vec<ID>>,
    /// The ids of the groups to join.
    group_ids: Option<Vec<ID>>,
}

impl CreateUserInput {
    fn parse(self) -> Result<NewUser> {
        Ok(NewUser {
            email: email("email", &self.email)?,
            handle: self.handle.map(|text| handle("handle", &text)).transpose()?,
            display_name: Name::parse("displayName", &self.display_name)?.into_string(),
            password: self.password.map(|text| WantedPassword::new(Zeroizing::new(text))),
            roles: self.role_ids.map(|ids| parse_ids("roleIds", &ids)).transpose()?,
            groups: parse_ids("groupIds", &self.group_ids.unwrap_or_default())?,
        })
    }
}

/// Input of `updateUser`. Omitted fields stay unchanged; null clears a field that may be empty.
#[derive(InputObject)]
pub(super) struct UpdateUserInput {
    /// The id of the user to change.
    id: ID,
    /// The version last read. If the object has changed since, nothing is changed and the error is `VERSION_CONFLICT`.
    version: Option<i32>,
    /// The new e-mail address. The caller must hold every scope that the user holds.
    email: Option<String>,
    /// A short unique name.
    handle: MaybeUndefined<String>,
    /// The display name.
    display_name: Option<String>,
    /// The new password. The caller must hold every scope that the user holds.
    password: Option<String>,
    /// The ids of the roles assigned directly; replaces the list.
    role_ids: Option<Vec<ID>>,
    /// The ids of the groups the user is a member of; replaces the list.
    group_ids: Option<Vec<ID>>,
}

impl UpdateUserInput {
    fn parse(self) -> Result<UserChanges> {
        Ok(UserChanges {
            email: self.email.map(|text| email("email", &text)).transpose()?,
            handle: given(self.handle, |text| Ok(handle("handle", &text)?))?,
            display_name: self.display_name.map(|text| Name::parse("displayName", &text)).transpose()?,
            password: self.password.map(|text| WantedPassword::new(Zeroizing::new(text))),
            roles: self.role_ids.map(|ids| parse_ids("roleIds", &ids)).transpose()?,
            groups: self.group_ids.map(|ids| parse_ids("groupIds", &ids)).transpose()?,
        })
    }
}

/// Identifies a user.
#[derive(Clone, Debug, InputObject)]
pub(super) struct UserIdInput {
    /// The id.
    id: ID,
}

/// Payload of the mutations that change a user.
#[derive(Clone, Debug, SimpleObject)]
pub(super) struct UserPayload {
    /// The user after the change; null if there are errors.
    user: Option<User>,
    /// For `deactivateUser`: API keys of service accounts that this user created and the caller can see, at most 100.
    /// They keep working; somebody should review them.
    service_account_keys: Vec<ApiKey>,
    /// Errors that the caller can correct; empty on success.
    user_errors: Vec<UserError>,
}

impl UserPayload {
    fn of(result: Result<UserRow>) -> async_graphql::Result<Option<Self>> {
        Self::from_result(result.map(|user| (user, Vec::new())))
    }

    fn from_result(result: Result<(UserRow, Vec<Key>)>) -> async_graphql::Result<Option<Self>> {
        let (done, user_errors) = payload(result)?;
        let (user, keys) = done.unzip();
        let service_account_keys = keys.unwrap_or_default().into_iter().map(ApiKey::from).collect();
        Ok(Some(Self { user: user.map(User::from), service_account_keys, user_errors }))
    }
}

#[derive(Default)]
pub(super) struct UserQueries;

/// Users.
#[Object]
impl UserQueries {
    /// Users, by e-mail address. Without `users:read`, only the caller.
    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    #[expect(clippy::too_many_arguments, reason = "these are the arguments of the GraphQL field")]
    async fn users(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which users to return; all if omitted.")] filter: Option<UserFilter>,
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
    ) -> async_graphql::Result<Option<UserConnection>> {
        let filter = filter.unwrap_or_default().parse().map_err(field_error)?;
        list(ctx, &filter, PageArguments { first, after, last, before }).await.map(Some)
    }
}

#[derive(Default)]
pub(super) struct UserMutations;

/// What changes users.
#[Object]
impl UserMutations {
    /// Creates a user. The caller must hold every scope that the user obtains.
    async fn create_user(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The new user.")] input: CreateUserInput,
    ) -> async_graphql::Result<Option<UserPayload>> {
        let cx = context(ctx)?;
        UserPayload::of(async { actions::create(cx, input.parse()?).await }.await)
    }

    /// Changes a user. The caller must hold every scope that the user gains.
    async fn update_user(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The changes.")] input: UpdateUserInput,
    ) -> async_graphql::Result<Option<UserPayload>> {
        let cx = context(ctx)?;
        let change = async {
            let (id, version) = (parse_id("id", &input.id)?, input.version);
            actions::update(cx, id, version, input.parse()?).await
        };
        UserPayload::of(change.await)
    }

    /// Deactivates a user. All API keys of the user stop working at once, and their access tokens are revoked.
    async fn deactivate_user(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The user.")] input: UserIdInput,
    ) -> async_graphql::Result<Option<UserPayload>> {
        let cx = context(ctx)?;
        let result = async { actions::deactivate(cx, parse_id("id", &input.id)?).await }.await;
        UserPayload::from_result(result.map(|done| (done.user, done.service_account_keys)))
    }

    /// Reactivates a user. API keys that have not expired work again; access tokens revoked by the deactivation stay
    /// revoked.
    async fn reactivate_user(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The user.")] input: UserIdInput,
    ) -> async_graphql::Result<Option<UserPayload>> {
        let cx = context(ctx)?;
        let result = async { actions::reactivate(cx, parse_id("id", &input.id)?).await }.await;
        UserPayload::of(result)
    }
}
