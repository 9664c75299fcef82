//! The first start, and every later one: the schema, the built-in objects, the master key and the keys it protects.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::{Context as _, bail};
use entity::account::{self, AccountKind};
use entity::data_key::{self, DataKeyPurpose};
use entity::signing_key::{self, SigningKeyState};
use entity::{
    AccountId, ApiId, ObjectKind, RoleId, ScopeId, ServiceAccountId, SigningKeyId, Timestamp, api, role,
    scope, service_account,
};
use migration::MigratorTrait as _;

use crate::access::builtin::{Grants, OPERATOR_ACCOUNT, ROLES, SCOPES};
use crate::config::{Config, DatabaseUrl, MasterKeySource};
use crate::crypto::jwt::{ES256, KeyRing, NewSigningKey, Signer, Verifier};
use crate::crypto::master_key::{DataKey, MasterKey};
use crate::crypto::password::PasswordHasher;
use crate::crypto::secret_hasher::SecretHasher;
use crate::entropy::{Random, id};
use crate::store::{self, Database, Tx};

/// The keys that the server works with.
#[derive(Debug)]
pub struct ServerKeys {
    pub secrets: SecretHasher,
    pub ring: KeyRing,
}

/// Brings the database up to date under a lock, fills in what is missing, and unwraps the keys.
pub async fn prepare(
    config: &Config,
    db: &Database,
    entropy: &dyn Random,
    now: Timestamp,
) -> anyhow::Result<(ServerKeys, PasswordHasher)> {
    let tx = db.begin_exclusive().await?;
    migration::Migrator::up(&*tx, None).await.context("cannot migrate the database")?;
    let first_start = store::server_keys::data_keys(&*tx).await?.is_empty();
    let master_key = master_key(config, entropy, first_start)?;
    let seed = Seed { tx: &tx, entropy, now };
    seed.built_in_objects().await?;
    if first_start {
        seed.server_keys(&master_key).await?;
    }
    let keys = unwrap_keys(&tx, &master_key).await?;
    tx.commit().await?;
    Ok(keys)
}

/// Reads the master key; makes the file on the first start on SQLite, where no other node needs the same one.
fn master_key(config: &Config, entropy: &dyn Random, first_start: bool) -> anyhow::Result<MasterKey> {
    let (text, origin) = match &config.master_key {
        MasterKeySource::Given(text) => {
            (text.clone(), "the setting `master_key` (LATCHKEY_MASTER_KEY)".to_owned())
        }
        MasterKeySource::File(path) => {
            if first_start && matches!(config.database, DatabaseUrl::Sqlite(_)) {
                make_key_file(path, entropy)
                    .with_context(|| format!("cannot create the master key {}", path.display()))?;
            }
            let text = std::fs::read_to_string(path).with_context(|| {
                format!(
                    "cannot read the master key {}: set `master_key_file` (LATCHKEY_MASTER_KEY_FILE) or LATCHKEY_MASTER_KEY; \
                     for a new database on PostgreSQL, create a key with `openssl rand -base64 32`",
                    path.display()
                )
            })?;
            (text.into(), path.display().to_string())
        }
    };
    MasterKey::parse(&text)
        .with_context(|| format!("{origin} does not contain a master key: expected 32 bytes in base64"))
}

/// The file appears whole or not at all. Two processes may start at once: the one that is there first stays.
fn make_key_file(path: &Path, entropy: &dyn Random) -> std::io::Result<()> {
    let draft = path.with_extension(format!("{}.new", std::process::id()));
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
    writeln!(file, "{}", *MasterKey::generate(entropy))?;
    file.sync_all()?;
    let linked = std::fs::hard_link(&draft, path);
    std::fs::remove_file(&draft)?;
    match linked {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn data_key_purpose(purpose: DataKeyPurpose, id: i32) -> String {
    format!("data-key {purpose:?} {id}")
}

fn signing_key_purpose(kid: &str) -> String {
    format!("signing-key {kid}")
}

async fn unwrap_keys(tx: &Tx, master_key: &MasterKey) -> anyhow::Result<(ServerKeys, PasswordHasher)> {
    let wrong =
        "the master key does not match the database: use the master key that the database was created with";
    let (mut secrets, mut pepper) = (Vec::new(), None);
    for row in store::server_keys::data_keys(&**tx).await? {
        let plain = master_key.unwrap(&data_key_purpose(row.purpose, row.id), &row.wrapped).context(wrong)?;
        let key = DataKey::try_from(plain).context(wrong)?;
        match row.purpose {
            DataKeyPurpose::ClientSecret => secrets.push((row.id, key)),
            DataKeyPurpose::Password => pepper = Some(key),
        }
    }
    let (mut signer, mut verifiers) = (None, Vec::new());
    for row in store::server_keys::signing_keys(&**tx).await? {
        verifiers.push(Verifier::new(&row.kid, &row.public_jwk)?);
        if row.state == SigningKeyState::Active {
            let private_key =
                master_key.unwrap(&signing_key_purpose(&row.kid), &row.wrapped_private_key).context(wrong)?;
            signer = Some(Signer::new(&row.kid, &private_key)?);
        }
    }
    let (Some(pepper), Some(signer), false) = (pepper, signer, secrets.is_empty()) else {
        bail!("the database has lost the server's own keys: restore it from a backup");
    };
    let keys = ServerKeys { secrets: SecretHasher::new(secrets), ring: KeyRing::new(signer, verifiers) };
    Ok((keys, PasswordHasher::new(pepper)))
}

struct Seed<'a> {
    tx: &'a Tx,
    entropy: &'a dyn Random,
    now: Timestamp,
}

impl Seed<'_> {
    fn id(&self) -> uuid::Uuid {
        id(self.entropy, self.now)
    }

    async fn built_in_objects(&self) -> anyhow::Result<()> {
        let api = self.api().await?;
        let scopes = SCOPES.iter().map(|scope| scope::Model {
            id: ScopeId(self.id()),
            api_id: api,
            name: scope.name.to_owned(),
            description: Some(scope.description.to_owned()),
            kind: scope.kind,
        });
        let scopes = store::scopes::put_built_in(&**self.tx, api, scopes.collect()).await?;
        for role in &ROLES {
            let names = role.grants.names();
            let granted: Vec<ScopeId> = scopes
                .iter()
                .filter(|scope| names.contains(&scope.name.as_str()))
                .map(|scope| scope.id)
                .collect();
            let row = role::Model {
                id: RoleId(self.id()),
                name: role.name.to_owned(),
                description: Some(role.description.to_owned()),
                built_in: true,
                all_scopes: matches!(role.grants, Grants::Everything),
                version: 1,
                created_at: self.now,
                updated_at: self.now,
            };
            store::roles::put_built_in(&**self.tx, row, &granted).await?;
        }
        self.operator_account().await
    }

    async fn api(&self) -> anyhow::Result<ApiId> {
        let api = api::Model {
            id: ApiId(self.id()),
            identifier: String::new(),
            name: "Latchkey".to_owned(),
            description: Some("This server: keys, users, roles, activity".to_owned()),
            built_in: true,
            version: 1,
            created_at: self.now,
            updated_at: self.now,
        };
        Ok(store::scopes::put_built_in_api(&**self.tx, api).await?)
    }

    async fn operator_account(&self) -> anyhow::Result<()> {
        if store::accounts::service_account_by_name(&**self.tx, OPERATOR_ACCOUNT).await?.is_some() {
            return Ok(());
        }
        let id = self.id();
        let account = account::Model {
            id: AccountId(id),
            kind: AccountKind::ServiceAccount,
            active: true,
            generation: 0,
            version: 1,
            created_by_kind: ObjectKind::System,
            created_by_id: None,
            created_at: self.now,
            updated_at: self.now,
        };
        let service_account = service_account::Model {
            id: ServiceAccountId(id),
            name: OPERATOR_ACCOUNT.to_owned(),
            description: Some("Owns API keys created on the command line without an owner".to_owned()),
            built_in: true,
        };
        Ok(store::accounts::add_service_account(&**self.tx, account, service_account).await?)
    }

    async fn server_keys(&self, master_key: &MasterKey) -> anyhow::Result<()> {
        for (id, purpose) in [(1, DataKeyPurpose::ClientSecret), (2, DataKeyPurpose::Password)] {
            let plain = DataKey::generate(self.entropy);
            let wrapped = master_key
                .wrap(self.entropy, &data_key_purpose(purpose, id), plain.as_bytes())
                .context("cannot encrypt a data key")?;
            let row = data_key::Model { id, purpose, wrapped, created_at: self.now };
            store::server_keys::add_data_key(&**self.tx, row).await?;
        }
        let key = NewSigningKey::generate()?;
        let wrapped_private_key = master_key
            .wrap(self.entropy, &signing_key_purpose(&key.kid), &key.private_key)
            .context("cannot encrypt the signing key")?;
        let row = signing_key::Model {
            id: SigningKeyId(self.id()),
            kid: key.kid,
            algorithm: ES256.to_owned(),
            state: SigningKeyState::Active,
            public_jwk: key.public_jwk,
            wrapped_private_key,
            created_at: self.now,
            activated_at: Some(self.now),
            retired_at: None,
        };
        Ok(store::server_keys::add_signing_key(&**self.tx, row).await?)
    }
}
