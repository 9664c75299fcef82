//! What Cargo cannot hold of the architecture: inside `src/` imports run downward, each heavy dependency has one address,
//! and files stay short. The crates under `crates/` need no test: their manifests do not name the product.
//!
//! A line is read for paths that begin with `crate::` or with the name of a dependency; comments and the tests at a file's
//! end do not count. `use crate::{...}` and climbing out of a folder with `super::super` would hide a path, so both are refused.

use std::fs;
use std::path::{Path, PathBuf};

/// The floors from the bottom up. A path may name its own folder and what lies on the floors below.
const FLOORS: &[&[&str]] = &[
    &["error", "clock", "entropy", "timeouts"],
    &["config", "values"],
    &["access"],
    &["crypto", "store"],
    &["app"],
    &["actions"],
    &["graphql"],
    &["http"],
    &["serve"],
    &["cli"],
    &["main", "lib"],
];

/// Closed although below: the edges go through actions, and permission is asked for with `cx.may(...)`.
const CLOSED: &[(&str, &[&str])] = &[
    ("graphql", &["store", "crypto", "config", "access::permissions", "clock"]),
    ("http", &["store", "crypto", "config", "access::permissions", "clock"]),
    ("actions", &["access::permissions", "config", "clock"]),
    ("store", &["crypto", "clock"]),
    ("crypto", &["store", "clock", "error"]),
    ("serve", &["store", "crypto", "actions"]),
    ("cli", &["store"]),
];

/// The one address of each heavy dependency.
const ADDRESSES: &[(&str, &[&str])] = &[
    ("sea_orm", &["store"]),
    ("migration", &["app"]),
    ("axum", &["http", "serve"]),
    ("tower", &["http", "serve"]),
    ("tower_http", &["http"]),
    ("async_graphql", &["graphql"]),
    ("graphql_engine", &["graphql"]),
    ("aws_lc_rs", &["crypto", "entropy"]),
    ("jsonwebtoken", &["crypto"]),
    ("argon2", &["crypto"]),
    ("zxcvbn", &["crypto"]),
    ("crc32fast", &["crypto"]),
    ("rand_chacha", &["entropy"]),
    ("rustix", &["app"]),
    ("figment", &["config"]),
    ("toml", &["cli"]),
    ("clap", &["cli", "main"]),
    ("std::env", &["config"]),
];

/// No file of `src/` and `crates/` is longer than this without its tests.
const LINES: usize = 400;

#[test]
fn imports_run_downward_and_heavy_dependencies_have_one_address() {
    let broken: Vec<String> =
        sources("src").iter().flat_map(|(file, text)| broken_rules(file, text)).collect();
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn no_file_is_over_budget() {
    let files = ["src", "crates", "entity", "migration"].map(sources).concat();
    let lines = |text: &str| code(text).count();
    let long = files.iter().filter(|(_, text)| lines(text) > LINES).map(|(file, text)| (file, lines(text)));
    assert_eq!(long.collect::<Vec<_>>(), [], "split these along a noun or a verb, never into utils");
}

#[test]
fn each_broken_rule_is_noticed() {
    for (file, line) in [
        ("graphql/page.rs", "use crate::store::page::Cursor;"),
        ("graphql/viewer.rs", "use crate::access::permissions::decide;"),
        ("http/token.rs", "use crate::{error::Error, store};"),
        ("http/token.rs", "fn f() { crate::crypto::secret::client_id() }"),
        ("http/token.rs", "use super::super::crypto::jwt;"),
        ("store/keys.rs", "use crate::app::context::Context;"),
        ("actions/keys/create.rs", "use crate::actions::roles;"),
        ("actions/roles.rs", "use axum::Json;"),
        ("app/context.rs", "use sea_orm::ConnectionTrait;"),
        ("store/keys.rs", "let x = std::env::var(\"X\");"),
        ("brand_new.rs", "use crate::error::Error;"),
    ] {
        assert_ne!(broken_rules(file, line), Vec::<String>::new(), "{file}: {line}");
    }
    let fine = "//! [`Context`]: crate::http::Context\nuse crate::error::Error;\n\n#[cfg(test)]\nmod tests { use axum::x; }";
    assert_eq!(broken_rules("store/keys.rs", fine), Vec::<String>::new());
}

/// Every Rust file below a folder of the project: its path in that folder, and its text.
fn sources(folder: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let (mut folders, mut files) = (vec![root.clone()], Vec::new());
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let (inner, found): (Vec<PathBuf>, Vec<PathBuf>) = entries.partition(|path| path.is_dir());
        folders.extend(inner);
        files.extend(found.into_iter().filter(|path| path.extension().is_some_and(|end| end == "rs")));
    }
    let name = |path: &Path| path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
    files.iter().map(|path| (name(path), fs::read_to_string(path).unwrap())).collect()
}

/// The lines that count.
fn code(text: &str) -> impl Iterator<Item = &str> {
    let code = text.split_once("\n#[cfg(test)]\nmod tests {").map_or(text, |(code, _)| code);
    code.lines()
}

fn broken_rules(file: &str, text: &str) -> Vec<String> {
    let lines = code(text).filter(|line| !line.trim_start().starts_with("//"));
    lines
        .filter_map(|line| wrong(file, line).map(|why| format!("{file}: `{}`: {why}", line.trim())))
        .collect()
}

fn wrong(file: &str, line: &str) -> Option<&'static str> {
    let own = file.split(['/', '.']).next().unwrap_or_default();
    let floor = |name: &str| FLOORS.iter().position(|floor| floor.contains(&name));
    if line.contains("crate::{") || line.matches("super::").count() > file.matches('/').count() {
        return Some("name the path from the root of the crate");
    }
    let is_part = |sign: char| sign.is_alphanumeric() || sign == '_' || sign == ':';
    for path in line.split("crate::").skip(1).filter_map(|rest| rest.split(|sign| !is_part(sign)).next()) {
        let parts: Vec<&str> = path.split("::").collect();
        let of_target = floor(parts[0]);
        if floor(own).is_none() || parts[0] != own && of_target >= floor(own) {
            return Some("imports run downward: give a new module its floor, or let the type sink");
        }
        if CLOSED.iter().any(|(from, to)| *from == own && to.iter().any(|to| path.starts_with(to))) {
            return Some("go through the floor between, or ask with `cx.may(...)`");
        }
        let noun = file.split(['/', '.']).nth(1);
        if own == "actions" && parts[0] == own && ![noun, Some("page")].contains(&parts.get(1).copied()) {
            return Some("an action never calls another: let the shared step sink to the floor below");
        }
    }
    let used = |(name, homes): &&(&str, &[&str])| {
        let begins = line.match_indices(&format!("{name}::")).any(|(at, _)| !line[..at].ends_with(is_part));
        begins && !homes.contains(&own)
    };
    ADDRESSES.iter().find(used).map(|_| "a heavy dependency has one address")
}
