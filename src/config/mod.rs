//! The settings that the server starts with, as types, checked once. The only reader of the environment.

mod parse;
mod reference;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use figment::Figment;
use figment::providers::{Env, Format as _, Serialized, Toml};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use self::parse::{bytes, database, list_or_commas, network, origin, public_url};
pub use self::reference::reference;
use crate::timeouts::Timeouts;

/// Every setting with its default and what it means.
pub const DEFAULTS: &str = include_str!("../../config.default.toml");
const FILE: &str = "latchkey.toml";
const ENVIRONMENT: &str = "LATCHKEY_";

const SETTINGS: [&str; 13] = [
    "listen",
    "public_url",
    "data_dir",
    "database_url",
    "master_key_file",
    "master_key",
    "trusted_proxies",
    "cors_origins",
    "graphql_documents",
    "graphql_documents_files",
    "low_disk_space_bytes",
    "log",
    "log_format",
];

/// Variables that begin like settings and are none. They are worth a warning and no more: container platforms inject
/// such names beside a service called `latchkey`.
pub fn unknown_variables() -> Vec<String> {
    let known = |name: &str| SETTINGS.iter().any(|setting| name.eq_ignore_ascii_case(setting));
    Env::prefixed(ENVIRONMENT)
        .iter()
        .filter(|(name, _)| !known(name.as_str()))
        .map(|(name, _)| format!("{ENVIRONMENT}{}", name.as_str().to_uppercase()))
        .collect()
}

/// The settings.
#[derive(Clone, Debug)]
pub struct Config {
    pub listen: SocketAddr,
    /// Without a slash at the end. None is `http://` and the address that is listened on.
    pub public_url: Option<String>,
    pub data_dir: PathBuf,
    pub database: DatabaseUrl,
    pub master_key: MasterKeySource,
    pub trusted_proxies: Vec<IpNet>,
    /// The web pages that may call the API: scheme, host and port.
    pub cors_origins: Vec<String>,
    pub graphql_documents: GraphqlDocuments,
    pub graphql_documents_files: Vec<PathBuf>,
    /// None is the default, which depends on the disk.
    pub low_disk_space_bytes: Option<u64>,
    pub log: String,
    pub log_format: LogFormat,
    /// Not the operator's to set.
    pub timeouts: Timeouts,
}

/// Where the data are.
#[derive(Clone, PartialEq, Eq)]
pub enum DatabaseUrl {
    Sqlite(PathBuf),
    Postgres(String),
}

impl std::fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

/// Without the password that a PostgreSQL address may hold.
impl std::fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "SQLite in {}", path.display()),
            Self::Postgres(address) => {
                let host = address.rsplit_once('@').map_or(address.as_str(), |(_, host)| host);
                let host = host.split_once("://").map_or(host, |(_, host)| host);
                write!(f, "PostgreSQL at {}", host.split_once('?').map_or(host, |(host, _)| host))
            }
        }
    }
}

/// Where the master key comes from.
#[derive(Clone)]
pub enum MasterKeySource {
    Given(Zeroizing<String>),
    File(PathBuf),
}

impl std::fmt::Debug for MasterKeySource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Given(_) => f.write_str("Given(…)"),
            Self::File(path) => write!(f, "File({})", path.display()),
        }
    }
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    Auto,
    Text,
    Json,
}

/// Which GraphQL documents are accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GraphqlDocuments {
    Any,
    Known,
}

/// Settings given as options of the command.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Overrides {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listen: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_dir: Option<PathBuf>,
}

/// A setting, or the file of settings, is wrong: which one, why, and what would be right.
#[derive(Debug, thiserror::Error)]
pub enum WrongSetting {
    #[error("invalid setting `{name}` ({ENVIRONMENT}{}): {problem}", name.to_uppercase())]
    Setting { name: String, problem: String },
    #[error("cannot read {FILE}: {0}")]
    File(String),
}

impl WrongSetting {
    fn new(name: &str, problem: impl Into<String>) -> Self {
        Self::Setting { name: name.to_owned(), problem: problem.into() }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    listen: String,
    public_url: Option<String>,
    data_dir: PathBuf,
    database_url: Option<String>,
    master_key_file: Option<PathBuf>,
    master_key: Option<Zeroizing<String>>,
    #[serde(deserialize_with = "list_or_commas")]
    trusted_proxies: Vec<String>,
    #[serde(deserialize_with = "list_or_commas")]
    cors_origins: Vec<String>,
    graphql_documents: GraphqlDocuments,
    #[serde(deserialize_with = "list_or_commas")]
    graphql_documents_files: Vec<String>,
    #[serde(deserialize_with = "bytes", default)]
    low_disk_space_bytes: Option<u64>,
    log: String,
    log_format: LogFormat,
}

impl Config {
    /// Reads the defaults, `latchkey.toml`, the environment and the options of the command, in this order.
    pub fn load(overrides: &Overrides) -> Result<Self, WrongSetting> {
        let mut figment = Figment::from(Toml::string(DEFAULTS));
        // Only here, not in the directories above, and only if it is there.
        if Path::new(FILE).exists() {
            figment = figment.merge(Toml::file_exact(FILE));
        }
        let environment = Serialized::defaults(environment());
        Self::from_figment(&figment.merge(environment).merge(Serialized::defaults(overrides)))
    }

    /// The settings as a file says them, without the environment.
    pub fn from_toml(text: &str) -> Result<Self, WrongSetting> {
        Self::from_figment(&Figment::from(Toml::string(DEFAULTS)).merge(Toml::string(text)))
    }

    fn from_figment(figment: &Figment) -> Result<Self, WrongSetting> {
        let raw: Raw = figment.extract().map_err(|error| unreadable(&error))?;
        let listen = SocketAddr::from_str(&raw.listen).map_err(|_| {
            WrongSetting::new(
                "listen",
                format!("`{}` is not an address with a port, such as 127.0.0.1:8080", raw.listen),
            )
        })?;
        let public_url = raw.public_url.as_deref().map(public_url).transpose()?;
        if public_url.is_none() && !listen.ip().is_loopback() {
            let problem = format!(
                "required when the server listens on a non-loopback address ({listen}): set the URL that \
                    clients use, such as https://keys.example.com"
            );
            return Err(WrongSetting::new("public_url", problem));
        }
        if raw.graphql_documents == GraphqlDocuments::Known && raw.graphql_documents_files.is_empty() {
            let problem =
                "`known` requires at least one document: list manifests in `graphql_documents_files`";
            return Err(WrongSetting::new("graphql_documents", problem));
        }
        Ok(Self {
            listen,
            public_url,
            database: database(raw.database_url.as_deref(), &raw.data_dir)?,
            data_dir: raw.data_dir.clone(),
            master_key: match (raw.master_key, raw.master_key_file) {
                (Some(key), None) => MasterKeySource::Given(key),
                (None, Some(path)) => MasterKeySource::File(path),
                (None, None) => MasterKeySource::File(raw.data_dir.join("master.key")),
                (Some(_), Some(_)) => {
                    let problem = "cannot be combined with `master_key_file`: set one of the two";
                    return Err(WrongSetting::new("master_key", problem));
                }
            },
            trusted_proxies: raw
                .trusted_proxies
                .iter()
                .map(|text| network(text))
                .collect::<Result<_, _>>()?,
            cors_origins: raw.cors_origins.iter().map(|text| origin(text)).collect::<Result<_, _>>()?,
            graphql_documents: raw.graphql_documents,
            graphql_documents_files: raw.graphql_documents_files.iter().map(PathBuf::from).collect(),
            low_disk_space_bytes: raw.low_disk_space_bytes,
            log: raw.log,
            log_format: raw.log_format,
            timeouts: Timeouts::default(),
        })
    }
}

/// The settings in the environment, all of them as text: a directory may be called 2024.
fn environment() -> BTreeMap<String, String> {
    let text = |value: String| value.trim().trim_matches('"').to_owned();
    let variables = Env::prefixed(ENVIRONMENT).only(&SETTINGS);
    variables.iter().map(|(name, value)| (name.as_str().to_lowercase(), text(value))).collect()
}

fn unreadable(error: &figment::Error) -> WrongSetting {
    match (&error.kind, error.path.last()) {
        (figment::error::Kind::UnknownField(field, known), _) => WrongSetting::new(
            field,
            format!("there is no such setting. The settings are: {}", known.join(", ")),
        ),
        // What is a secret, or may hold one, is not repeated.
        (_, Some(name)) if matches!(name.as_str(), "master_key" | "database_url") => {
            WrongSetting::new(name, "expected a string in quotes")
        }
        (kind, Some(name)) => WrongSetting::new(name, kind.to_string()),
        (kind, None) => WrongSetting::File(kind.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(toml: &str) -> String {
        Config::from_toml(toml).unwrap_err().to_string()
    }

    #[test]
    fn the_defaults_need_nothing() {
        let config = Config::from_toml("").unwrap();
        assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
        assert_eq!(config.database, DatabaseUrl::Sqlite("data/latchkey.db".into()));
        assert_eq!(format!("{:?}", config.master_key), "File(data/master.key)");
    }

    #[test]
    fn every_wrong_setting_is_named_with_what_would_be_right() {
        let all = [
            "listen = 'here'",
            "listen = '0.0.0.0:80'",
            "listen = 8080",
            "public_url = 'keys.example.com'",
            "public_url = 'https://keys.example.com/path'",
            "database_url = 'mysql://root:hunter2@db/x'",
            "trusted_proxies = ['10.0.0.0/33']",
            "cors_origins = ['*']",
            "cors_origins = ['https://app.example.com/']",
            "cors_origins = ['app.example.com']",
            "graphql_documents = 'some'",
            "graphql_documents = 'known'",
            "low_disk_space_bytes = '1 GB'",
            "low_disk_space_bytes = -1",
            "log_format = 'xml'",
            "master_key = 4711",
            "master_key = 'a'\nmaster_key_file = 'b'",
            "listne = '127.0.0.1:80'",
        ];
        insta::assert_snapshot!(all.map(|toml| format!("{toml}\n  {}", problem(toml))).join("\n"));
    }

    #[test]
    fn an_address_is_shown_without_its_password() {
        let shown = DatabaseUrl::Postgres("postgres://app:hunter2@db:5432/latchkey?sslpassword=x".to_owned());
        assert_eq!(shown.to_string(), "PostgreSQL at db:5432/latchkey");
        assert_eq!(format!("{shown:?}"), "PostgreSQL at db:5432/latchkey");
    }

    #[test]
    fn lists_may_be_written_with_commas() {
        let config = Config::from_toml("trusted_proxies = '10.0.0.0/8, ::1'").unwrap();
        assert_eq!(
            config.trusted_proxies,
            ["10.0.0.0/8".parse().unwrap(), "::1/128".parse::<IpNet>().unwrap()]
        );
    }

    #[test]
    fn the_reference_names_every_setting() {
        let reference = reference();
        for name in SETTINGS {
            assert!(reference.contains(&format!("| `{name}` |")), "{name}");
        }
    }
}
