//! From the text of a setting to a value that can be relied on.

use std::path::{Path, PathBuf};

use ipnet::IpNet;
use serde::{Deserialize, Deserializer};

use super::{DatabaseUrl, WrongSetting};

pub(super) fn public_url(text: &str) -> Result<String, WrongSetting> {
    scheme_and_host(text.trim_end_matches('/')).ok_or_else(|| {
        let problem =
            format!("`{text}` is not a URL such as https://keys.example.com, with nothing after the host");
        WrongSetting::new("public_url", problem)
    })
}

/// As browsers write it: lower case, no slash at the end, `*` for nobody.
pub(super) fn origin(text: &str) -> Result<String, WrongSetting> {
    let written =
        scheme_and_host(text).filter(|origin| !origin.contains('*') && *origin == text.to_lowercase());
    written.ok_or_else(|| {
        let problem = format!(
            "`{text}` is not an origin such as https://app.example.com: scheme, host and port in lower \
                case, with nothing after them"
        );
        WrongSetting::new("cors_origins", problem)
    })
}

fn scheme_and_host(url: &str) -> Option<String> {
    let host = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"))?;
    let plain =
        |letter: char| letter.is_ascii_graphic() && !matches!(letter, '/' | '?' | '#' | '@' | '"' | '\\');
    (!host.is_empty() && host.chars().all(plain)).then(|| url.to_owned())
}

pub(super) fn database(url: Option<&str>, data_dir: &Path) -> Result<DatabaseUrl, WrongSetting> {
    let Some(url) = url else {
        return Ok(DatabaseUrl::Sqlite(data_dir.join("latchkey.db")));
    };
    match url.split_once("://") {
        Some(("sqlite", path)) if !path.is_empty() => Ok(DatabaseUrl::Sqlite(PathBuf::from(path))),
        Some(("postgres" | "postgresql", rest)) if !rest.is_empty() => {
            Ok(DatabaseUrl::Postgres(url.to_owned()))
        }
        // The value may hold a password: it is not repeated.
        _ => Err(WrongSetting::new(
            "database_url",
            "expected sqlite:// and a file, or postgres:// and a server, such as sqlite://data/latchkey.db",
        )),
    }
}

pub(super) fn network(text: &str) -> Result<IpNet, WrongSetting> {
    let whole = || text.parse().map(|address: std::net::IpAddr| IpNet::from(address));
    text.parse().or_else(|_| whole()).map_err(|_| {
        WrongSetting::new(
            "trusted_proxies",
            format!("`{text}` is not a network such as 10.0.0.0/8, and not an IP address"),
        )
    })
}

/// A list in the file; names with commas between in the environment.
pub(super) fn list_or_commas<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "expected a list of strings, or one string with commas between")]
    enum Either {
        List(Vec<String>),
        Text(String),
    }
    Ok(match Either::deserialize(deserializer)? {
        Either::List(list) => list,
        Either::Text(text) => {
            text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
        }
    })
}

/// A number of bytes; as text in the environment.
pub(super) fn bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "expected a whole number of bytes, such as 268435456")]
    enum Either {
        Number(u64),
        Text(String),
    }
    let wrong = |text: &str| {
        serde::de::Error::custom(format!("`{text}` is not a whole number of bytes, such as 268435456"))
    };
    match Either::deserialize(deserializer)? {
        Either::Number(number) => Ok(Some(number)),
        Either::Text(text) => text.parse().map(Some).map_err(|_| wrong(&text)),
    }
}
