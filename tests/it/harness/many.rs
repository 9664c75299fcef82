//! More keys than a test has time to ask for.

use entity::{KeyId, SecretId, api_key, key_secret};
use latchkey::crypto::secret::{ClientSecret, client_id};
use sea_orm::{ColumnTrait as _, EntityTrait as _, IntoActiveModel as _, QueryFilter as _};

use super::{Key, Server};

/// Rows of one statement.
const ROWS: usize = 500;

#[expect(clippy::disallowed_methods, reason = "tests arrange their rows without asking for permission")]
impl Server {
    /// Keys like this one, which inherits and has a secret; each with a name, a client id and a secret of its own.
    /// Written straight into the database, in the order of their ids.
    pub async fn copies(&self, of: &Key, count: usize) -> Vec<Key> {
        let id: KeyId = of.id.parse().unwrap();
        let key = self.key_row(id).await;
        let secret = key_secret::Entity::find().filter(key_secret::Column::KeyId.eq(id));
        let secret = secret.one(self.app.db.reader()).await.unwrap().unwrap();
        let mut ids: Vec<KeyId> = (0..count).map(|_| KeyId(self.new_uuid())).collect();
        ids.sort_unstable();
        let copies = ids.into_iter().enumerate().map(|(n, id)| self.copy((n, id), &key, &secret));
        let (keys, rows): (Vec<Key>, Vec<_>) = copies.unzip();
        let tx = self.app.db.begin().await.unwrap();
        for some in rows.chunks(ROWS) {
            let (keys, secrets): (Vec<_>, Vec<_>) = some.iter().cloned().unzip();
            let keys = keys.into_iter().map(api_key::Model::into_active_model);
            api_key::Entity::insert_many(keys).exec_without_returning(&*tx).await.unwrap();
            let secrets = secrets.into_iter().map(key_secret::Model::into_active_model);
            key_secret::Entity::insert_many(secrets).exec_without_returning(&*tx).await.unwrap();
        }
        tx.commit().await.unwrap();
        keys
    }

    fn copy(
        &self,
        (number, id): (usize, KeyId),
        key: &api_key::Model,
        secret: &key_secret::Model,
    ) -> (Key, (api_key::Model, key_secret::Model)) {
        let entropy = &*self.app.entropy;
        let name = format!("{} {number}", key.name);
        let key = api_key::Model { id, client_id: client_id(entropy), name, ..key.clone() };
        let fresh = ClientSecret::generate(entropy);
        let secret = key_secret::Model {
            id: SecretId(self.new_uuid()),
            key_id: id,
            hash: self.app.keys.secrets.hash(&key.client_id, &fresh).unwrap(),
            hint: fresh.hint(),
            ..secret.clone()
        };
        let shown = Key { id: id.to_string(), client_id: key.client_id.clone(), secret: fresh.reveal() };
        (shown, (key, secret))
    }
}
