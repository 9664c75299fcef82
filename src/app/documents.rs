//! Documents that clients name instead of sending them: those that the operator made known in manifests, and those that
//! clients have registered since the start (which are forgotten again when there are too many).

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use anyhow::{Context as _, bail, ensure};
use weighted_lru::WeightedLru;

use crate::crypto::digest::sha256_hex;

/// The bytes of all registered documents together.
const REGISTERED: usize = 2 * 1024 * 1024;
const SCHEME: &str = "sha256:";

/// What names a document: `sha256:` and the digest of its text in 64 lower-case hex characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DocumentId(String);

/// The text is not the id of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotADocumentId;

impl DocumentId {
    fn of(text: &str) -> Self {
        Self(format!("{SCHEME}{}", sha256_hex(text.as_bytes())))
    }
}

impl FromStr for DocumentId {
    type Err = NotADocumentId;

    fn from_str(text: &str) -> Result<Self, NotADocumentId> {
        let digest = text.strip_prefix(SCHEME).ok_or(NotADocumentId)?;
        let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        let valid = digest.len() == 64 && digest.bytes().all(hex);
        valid.then(|| Self(text.to_owned())).ok_or(NotADocumentId)
    }
}

/// Why there is no document to execute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoDocument {
    /// Nobody made it known.
    Unknown,
    /// The text that came along has another digest.
    Mismatch,
    /// Only documents of the manifests are accepted.
    NotAllowed,
}

/// The documents that this server can be asked for by their id.
#[derive(Debug)]
pub struct Documents {
    known: HashMap<DocumentId, Arc<str>>,
    only_known: bool,
    registered: WeightedLru<DocumentId, Arc<str>>,
}

impl Documents {
    /// Reads manifests: each a JSON object of ids and texts.
    pub fn load(manifests: &[PathBuf], only_known: bool) -> anyhow::Result<Self> {
        let mut known = HashMap::new();
        for path in manifests {
            let documents = manifest(path).with_context(|| {
                format!("cannot load the manifest {} (setting `graphql_documents_files`)", path.display())
            })?;
            known.extend(documents);
        }
        Ok(Self { known, only_known, registered: WeightedLru::new(REGISTERED) })
    }

    /// The document of this id. A text that comes along registers the document, once its digest has been compared.
    pub fn by_id(&self, id: &DocumentId, text: Option<&str>) -> Result<Arc<str>, NoDocument> {
        if text.is_some_and(|text| DocumentId::of(text) != *id) {
            return Err(NoDocument::Mismatch);
        }
        if let Some(known) = self.known.get(id) {
            return Ok(Arc::clone(known));
        }
        match text {
            Some(_) if self.only_known => Err(NoDocument::NotAllowed),
            Some(text) => {
                let document: Arc<str> = text.into();
                self.registered.put(id.clone(), Arc::clone(&document), text.len());
                Ok(document)
            }
            None => self.registered.get(id).ok_or(NoDocument::Unknown),
        }
    }

    /// The document of this text.
    pub fn by_text(&self, text: &str) -> Result<Arc<str>, NoDocument> {
        if self.only_known && !self.known.contains_key(&DocumentId::of(text)) {
            return Err(NoDocument::NotAllowed);
        }
        Ok(text.into())
    }
}

fn manifest(path: &Path) -> anyhow::Result<Vec<(DocumentId, Arc<str>)>> {
    let json = fs::read_to_string(path)?;
    let texts: HashMap<String, String> =
        serde_json::from_str(&json).context("expected a JSON object that maps ids to document texts")?;
    let mut documents = Vec::with_capacity(texts.len());
    for (name, text) in texts {
        let Ok(id) = name.parse::<DocumentId>() else {
            bail!("`{name}` is not a valid id: expected {SCHEME} and 64 lower-case hexadecimal characters");
        };
        ensure!(DocumentId::of(&text) == id, "the digest of the document does not match its id `{name}`");
        documents.push((id, text.into()));
    }
    Ok(documents)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "{ viewer { scopes } }";

    fn id() -> DocumentId {
        DocumentId::of(TEXT)
    }

    fn known(manifest: &str, only: bool) -> anyhow::Result<Documents> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("documents.json");
        fs::write(&path, manifest).unwrap();
        Documents::load(&[path], only)
    }

    fn manifest() -> String {
        serde_json::json!({ id().0: TEXT }).to_string()
    }

    #[test]
    fn known_documents_need_no_text_and_unknown_ones_do() {
        let documents = known(&manifest(), false).unwrap();
        assert_eq!(documents.by_id(&id(), None).as_deref(), Ok(TEXT));
        let other = DocumentId::of("{ __typename }");
        assert_eq!(documents.by_id(&other, None), Err(NoDocument::Unknown));
        assert_eq!(documents.by_id(&other, Some(TEXT)), Err(NoDocument::Mismatch));
        assert_eq!(documents.by_id(&id(), Some("{ __typename }")), Err(NoDocument::Mismatch));
        assert_eq!(documents.by_id(&other, Some("{ __typename }")).as_deref(), Ok("{ __typename }"));
        assert_eq!(documents.by_id(&other, None).as_deref(), Ok("{ __typename }"));
        assert_eq!(documents.by_text("{ anything }").as_deref(), Ok("{ anything }"));
    }

    #[test]
    fn when_only_known_ones_are_accepted_nothing_can_be_registered() {
        let documents = known(&manifest(), true).unwrap();
        assert_eq!(documents.by_text(TEXT).as_deref(), Ok(TEXT));
        assert_eq!(documents.by_id(&id(), Some(TEXT)).as_deref(), Ok(TEXT));
        assert_eq!(documents.by_text("{ viewer { __typename } }"), Err(NoDocument::NotAllowed));
        let other = DocumentId::of("{ __typename }");
        assert_eq!(documents.by_id(&other, Some("{ __typename }")), Err(NoDocument::NotAllowed));
        assert_eq!(documents.by_id(&other, None), Err(NoDocument::Unknown));
    }

    #[test]
    fn a_manifest_that_is_wrong_is_told_what_about() {
        let told = |manifest: &str| format!("{:#}", known(manifest, false).unwrap_err());
        for (manifest, about) in [
            ("[]", "expected a JSON object"),
            ("{", "expected a JSON object"),
            ("{\"abc\": \"{ a }\"}", "`abc` is not a valid id"),
            (&manifest().replace("sha256:", "md5:"), "is not a valid id"),
            (&manifest().replace("scopes", "can"), "does not match its id"),
        ] {
            let told = told(manifest);
            assert!(told.contains(about) && told.contains("graphql_documents_files"), "{manifest}: {told}");
        }
        let missing = Documents::load(&["nowhere.json".into()], false).unwrap_err();
        assert!(format!("{missing:#}").contains("nowhere.json"), "{missing:#}");
    }
}
