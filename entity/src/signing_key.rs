//! A key that access tokens are signed with: published first, then in use, then kept until its last token has ended.

use sea_orm::entity::prelude::*;

use crate::{SigningKeyId, Timestamp};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum SigningKeyState {
    #[sea_orm(string_value = "NEXT")]
    Next,
    #[sea_orm(string_value = "ACTIVE")]
    Active,
    #[sea_orm(string_value = "RETIRING")]
    Retiring,
}

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "signing_keys")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: SigningKeyId,
    /// RFC 7638 thumbprint of the public key.
    pub kid: String,
    pub algorithm: String,
    pub state: SigningKeyState,
    /// The public key as a JWK.
    pub public_jwk: String,
    /// PKCS#8, wrapped by the master key.
    pub wrapped_private_key: Vec<u8>,
    pub created_at: Timestamp,
    pub activated_at: Option<Timestamp>,
    pub retired_at: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
