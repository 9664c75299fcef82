//! Users and service accounts for tests, written by the store without asking for permission.

use entity::account::AccountKind;
use entity::{AccountId, ServiceAccountId, UserId};
use latchkey::store::accounts;
use sea_orm::{ActiveValue::Set, ConnectionTrait, EntityTrait, QueryFilter, sea_query::Expr};
use uuid::Uuid;

use super::{Key, Server};

/// A user or service account.
#[derive(Clone, Debug)]
pub struct Account {
    pub id: AccountId,
    /// `user_…` or `svc_…`.
    pub public_id: String,
    /// The e-mail address or name.
    pub name: String,
}

/// What a key is given.
#[derive(Clone, Copy, Debug)]
pub enum Grants<'a> {
    /// All that its owner holds.
    Inherit,
    Roles(&'a [&'a str]),
    Scopes(&'a [&'a str]),
}

#[expect(clippy::disallowed_methods, reason = "tests arrange their rows without asking for permission")]
impl Server {
    /// A user with these roles.
    pub async fn user(&self, email: &str, roles: &[&str]) -> Account {
        let id = AccountId(self.new_uuid());
        let account = accounts::new_account(id, AccountKind::User, None, self.app.clock.now());
        let user = entity::user::Model {
            id: UserId(id.0),
            email: email.to_owned(),
            handle: None,
            display_name: email.to_owned(),
            password_hash: None,
            last_sign_in_at: None,
        };
        let tx = self.app.db.begin().await.unwrap();
        accounts::add_user(&*tx, account, user).await.unwrap();
        for role in roles {
            give_role(&*tx, UserId(id.0), role).await;
        }
        self.commit(tx).await;
        Account { id, public_id: UserId(id.0).to_string(), name: email.to_owned() }
    }

    /// A service account.
    pub async fn service_account(&self, name: &str) -> Account {
        let id = AccountId(self.new_uuid());
        let account = accounts::new_account(id, AccountKind::ServiceAccount, None, self.app.clock.now());
        let row = entity::service_account::Model {
            id: ServiceAccountId(id.0),
            name: name.to_owned(),
            description: None,
            built_in: false,
        };
        let tx = self.app.db.begin().await.unwrap();
        accounts::add_service_account(&*tx, account, row).await.unwrap();
        self.commit(tx).await;
        Account { id, public_id: ServiceAccountId(id.0).to_string(), name: name.to_owned() }
    }

    /// Takes a role from a user, or gives it.
    pub async fn take_role(&self, user: &Account, role: &str) {
        let tx = self.app.db.begin().await.unwrap();
        let role = role_id(&*tx, role).await;
        entity::user_role::Entity::delete_by_id((UserId(user.id.0), role)).exec(&*tx).await.unwrap();
        self.commit(tx).await;
    }

    pub async fn give_role(&self, user: &Account, role: &str) {
        let tx = self.app.db.begin().await.unwrap();
        give_role(&*tx, UserId(user.id.0), role).await;
        self.commit(tx).await;
    }

    /// Deactivates an account, as its owner's keys see it: inactive, with a new generation.
    pub async fn deactivate(&self, account: &Account) {
        use entity::account::{Column, Entity};
        let tx = self.app.db.begin().await.unwrap();
        Entity::update_many()
            .filter(sea_orm::ColumnTrait::eq(&Column::Id, account.id))
            .col_expr(Column::Active, Expr::val(false))
            .col_expr(
                Column::Generation,
                sea_orm::sea_query::ExprTrait::add(Expr::col(Column::Generation), 1),
            )
            .exec(&*tx)
            .await
            .unwrap();
        self.commit(tx).await;
    }

    /// An API of somebody else's with one scope of each name; scopes whose name ends in `:write` are of kind WRITE.
    pub async fn api(&self, identifier: &str, scopes: &[&str]) {
        let tx = self.app.db.begin().await.unwrap();
        let now = self.app.clock.now();
        let api = entity::ApiId(self.new_uuid());
        let row = entity::api::ActiveModel {
            id: Set(api),
            identifier: Set(identifier.to_owned()),
            name: Set(identifier.to_owned()),
            description: Set(None),
            built_in: Set(false),
            version: Set(1),
            created_at: Set(now),
            updated_at: Set(now),
        };
        entity::api::Entity::insert(row).exec_without_returning(&*tx).await.unwrap();
        for name in scopes {
            let write = name.ends_with(":write");
            let row = entity::scope::ActiveModel {
                id: Set(entity::ScopeId(self.new_uuid())),
                api_id: Set(api),
                name: Set((*name).to_owned()),
                description: Set(None),
                kind: Set(if write {
                    entity::scope::ScopeKind::Write
                } else {
                    entity::scope::ScopeKind::Read
                }),
            };
            entity::scope::Entity::insert(row).exec_without_returning(&*tx).await.unwrap();
        }
        self.commit(tx).await;
    }

    /// A key made by the operator, who may give anything.
    pub async fn key(&self, owner: &Account, name: &str, grants: Grants<'_>) -> Key {
        self.key_with(owner, name, grants, |_| {}).await
    }

    /// The same, with changes to what it is made from.
    pub async fn key_with(
        &self,
        owner: &Account,
        name: &str,
        grants: Grants<'_>,
        change: impl FnOnce(&mut latchkey::actions::keys::NewKey),
    ) -> Key {
        use latchkey::actions::keys::{NewKey, create};
        let cx = self.operator();
        let mut role_ids = Vec::new();
        if let Grants::Roles(names) = grants {
            for name in names {
                role_ids.push(latchkey::actions::roles::find_by_name(&cx, name).await.unwrap().unwrap().id);
            }
        }
        let mut new = NewKey {
            name: latchkey::values::Name::parse("name", name).unwrap(),
            description: None,
            owner: Some(owner.id),
            roles: matches!(grants, Grants::Roles(_)).then_some(role_ids),
            scopes: match grants {
                Grants::Scopes(names) => Some(names.iter().map(|name| (*name).to_owned()).collect()),
                Grants::Inherit | Grants::Roles(_) => None,
            },
            read_only: false,
            networks: None,
            expires_at: None,
            token_lifetime_seconds: None,
            token_limit: None,
            call_limit: None,
            issue_secret: true,
        };
        change(&mut new);
        let created = create(&cx, new, None).await.unwrap();
        Key {
            id: created.key.id.to_string(),
            client_id: created.key.client_id.clone(),
            secret: created.secret.map(latchkey::crypto::secret::ClientSecret::reveal).unwrap_or_default(),
        }
    }

    /// Commits rows that were arranged past the actions, and lets the server's memory know, as actions do.
    pub async fn commit(&self, tx: latchkey::store::Tx) {
        use latchkey::store::changes::{Invalidation, fence, note};
        fence(&*tx, &Invalidation::Everything).await.unwrap();
        let seq = note(&*tx, &Invalidation::Everything).await.unwrap();
        tx.commit().await.unwrap();
        self.app.registry.invalidate_own(seq, &Invalidation::Everything);
    }

    /// The caller that may do anything, without a request.
    pub fn operator(&self) -> latchkey::app::context::Context {
        use latchkey::access::Caller;
        use latchkey::app::context::{Context, Origin};
        Context::new(self.app.clone(), Caller::Operator, Origin::default(), self.app.clock.now())
    }

    pub(super) fn new_uuid(&self) -> Uuid {
        latchkey::entropy::id(&*self.app.entropy, self.app.clock.now())
    }
}

#[expect(clippy::disallowed_methods, reason = "tests arrange their rows without asking for permission")]
async fn role_id(db: &impl ConnectionTrait, name: &str) -> entity::RoleId {
    let roles = entity::role::Entity::find().all(db).await.unwrap();
    roles.into_iter().find(|role| role.name == name).unwrap_or_else(|| panic!("no role {name}")).id
}

#[expect(clippy::disallowed_methods, reason = "tests arrange their rows without asking for permission")]
async fn give_role(db: &impl ConnectionTrait, user: UserId, role: &str) {
    let row = entity::user_role::ActiveModel { user_id: Set(user), role_id: Set(role_id(db, role).await) };
    entity::user_role::Entity::insert(row).exec_without_returning(db).await.unwrap();
}
