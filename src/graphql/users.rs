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

/// Which users: all conditions hold together, a list means any of its values.
#[derive(Clone, Debug, Default, InputObject)]
pub(super) struct UserFilter {
    /// Part of the e-mail address, the handle or the name, in either case; under three characters, its beginning. At most
    /// 100 characters.
    search: Option<String>,
    /// Active or not.
    active: Option<bool>,
    /// Members of any of these groups.
    group_ids: Option<Vec<ID>>,
    /// Holders of any of these roles, directly or through groups.
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

/// What a user is made from.
#[derive(InputObject)]
pub(super) struct CreateUserInput {
    /// The e-mail address, unique; kept in lower case.
    email: String,
    /// A short unique name, if the organisation has one (the user key).
    handle: Option<String>,
    /// The name to show.
    display_name: String,
    /// A password to sign in with; none when left out.
    password: Option<String>,
    /// The roles to give; `member` when left out.
    role_ids: Option<Vec<ID>>,
    /// The groups to join.
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

/// What to change of a user. A field left out stays as it is; null clears.
#[derive(InputObject)]
pub(super) struct UpdateUserInput {
    /// Which user.
    id: ID,
    /// The version that was read: the change is refused if somebody else was faster.
    version: Option<i32>,
    /// The new e-mail address. The viewer must hold all that the user holds.
    email: Option<String>,
    /// A short unique name.
    handle: MaybeUndefined<String>,
    /// The name to show.
    display_name: Option<String>,
    /// A new password. The viewer must hold all that the user holds.
    password: Option<String>,
    /// The roles that replace those held directly.
    role_ids: Option<Vec<ID>>,
    /// The groups that replace those the user is in.
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

/// Which user.
#[derive(Clone, Debug, InputObject)]
pub(super) struct UserIdInput {
    /// The id.
    id: ID,
}

/// What became of a change of a user.
#[derive(Clone, Debug, SimpleObject)]
pub(super) struct UserPayload {
    /// The user as they are now.
    user: Option<User>,
    /// For `deactivateUser`: keys of service accounts that this user made and the viewer may see, at most 100. They go on
    /// working, and somebody should look after them.
    service_account_keys: Vec<ApiKey>,
    /// What the caller can correct; empty if all went well.
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
    /// Users, by e-mail address. Without `users:read`, the viewer alone.
    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    #[expect(clippy::too_many_arguments, reason = "these are the arguments of the GraphQL field")]
    async fn users(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which users; all when left out.")] filter: Option<UserFilter>,
        #[graphql(desc = "The length of a page from the start; at most 100.")] first: Option<i32>,
        #[graphql(desc = "Begin after this cursor.")] after: Option<String>,
        #[graphql(desc = "The length of a page from the end; at most 100.")] last: Option<i32>,
        #[graphql(desc = "End before this cursor.")] before: Option<String>,
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
    /// Makes a user. What the user obtains, the viewer must hold.
    async fn create_user(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What the user is made from.")] input: CreateUserInput,
    ) -> async_graphql::Result<Option<UserPayload>> {
        let cx = context(ctx)?;
        UserPayload::of(async { actions::create(cx, input.parse()?).await }.await)
    }

    /// Changes a user. What the user gains, the viewer must hold.
    async fn update_user(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to change.")] input: UpdateUserInput,
    ) -> async_graphql::Result<Option<UserPayload>> {
        let cx = context(ctx)?;
        let change = async {
            let (id, version) = (parse_id("id", &input.id)?, input.version);
            actions::update(cx, id, version, input.parse()?).await
        };
        UserPayload::of(change.await)
    }

    /// Stops a user: all keys of theirs at once, and every token issued to them for good.
    async fn deactivate_user(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which user.")] input: UserIdInput,
    ) -> async_graphql::Result<Option<UserPayload>> {
        let cx = context(ctx)?;
        let result = async { actions::deactivate(cx, parse_id("id", &input.id)?).await }.await;
        UserPayload::from_result(result.map(|done| (done.user, done.service_account_keys)))
    }

    /// Lets a user be used again. Keys that have not ended work again; tokens that died stay dead.
    async fn reactivate_user(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which user.")] input: UserIdInput,
    ) -> async_graphql::Result<Option<UserPayload>> {
        let cx = context(ctx)?;
        let result = async { actions::reactivate(cx, parse_id("id", &input.id)?).await }.await;
        UserPayload::of(result)
    }
}
