//! The architecture, executable: who may import whom, where each heavy dependency is spoken, how long a file may be.
//!
//! The table is that of `ARCHITECTURE.md` in the form of an allow-list: what is not named is not allowed, and a new
//! module fails until somebody has decided on its floor. Tests inside a file may import whatever they like.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Every module and what it may import beside itself, from the bottom up.
const FLOORS: &[(&str, &[&str])] = &[
    // 0: pure.
    ("error", &[]),
    ("clock", &[]),
    ("entropy", &[]),
    ("timeouts", &[]),
    ("config", &["timeouts"]),
    ("values", &["error"]),
    ("access", &["error", "values"]),
    ("recent", &[]),
    ("space", &[]),
    // 1: queries, secrets, limits.
    ("crypto", &["access", "entropy", "recent"]),
    ("limits", &["clock", "config", "error", "values"]),
    ("store", &["access", "config", "entropy", "error", "timeouts", "values"]),
    // 2: one request, and what is built once. The journal and the bootstrap are parts of what is built.
    ("bootstrap", &["access", "config", "crypto", "entropy", "store"]),
    ("documents", &["crypto", "recent"]),
    ("journal", &["entropy", "error", "store"]),
    ("retention", &["error", "store"]),
    ("refusals", &["entropy", "error", "limits", "store"]),
    ("usage", &["error", "store"]),
    ("passwords", &["crypto", "entropy", "error"]),
    ("registry", &["access", "clock", "crypto", "error", "store"]),
    (
        "app",
        &[
            "bootstrap",
            "clock",
            "config",
            "crypto",
            "documents",
            "entropy",
            "error",
            "journal",
            "limits",
            "passwords",
            "refusals",
            "registry",
            "space",
            "store",
            "usage",
        ],
    ),
    ("context", &["access", "app", "entropy", "error", "limits", "store"]),
    ("giving", &["access", "context", "error", "store"]),
    ("gate", &["access", "app", "context", "crypto", "error", "limits", "refusals", "registry", "store"]),
    // 3: what the server can do.
    (
        "actions",
        &[
            "access",
            "app",
            "context",
            "crypto",
            "entropy",
            "error",
            "gate",
            "giving",
            "journal",
            "limits",
            "passwords",
            "refusals",
            "registry",
            "store",
            "values",
        ],
    ),
    // 4: how requests arrive. `http` knows of `graphql` what its module shows: the schema, an operation, the codes.
    ("graphql", &["access", "actions", "context", "documents", "error", "limits", "recent", "values"]),
    ("http", &["access", "actions", "app", "context", "entropy", "error", "graphql", "limits"]),
    // 5: entry points.
    ("jobs", &["app", "registry", "retention"]),
    ("serve", &["app", "clock", "config", "entropy", "graphql", "http", "jobs"]),
    (
        "cli",
        &[
            "access", "actions", "app", "clock", "config", "context", "crypto", "entropy", "error",
            "graphql", "http", "serve", "timeouts", "values",
        ],
    ),
    ("lib", &[]),
    // The binary sees the library as `latchkey`.
    ("main", &[]),
];

/// Paths that are out of bounds although their module is not.
const CLOSED: &[(&str, &str, &str)] = &[
    ("graphql", "access::policy", "ask with `cx.may(...)` inside an action"),
    ("http", "access::policy", "ask with `cx.may(...)` inside an action"),
    ("actions", "access::policy", "ask with `cx.may(...)`"),
];

/// The one address of each heavy dependency.
const ADDRESSES: &[(&str, &[&str])] = &[
    ("sea_orm", &["store"]),
    ("migration", &["bootstrap"]),
    ("axum", &["http", "serve"]),
    ("tower", &["http", "serve"]),
    ("tower_http", &["http"]),
    ("async_graphql", &["graphql"]),
    ("aws_lc_rs", &["crypto", "entropy"]),
    ("jsonwebtoken", &["crypto"]),
    ("argon2", &["crypto"]),
    ("zxcvbn", &["crypto"]),
    ("crc32fast", &["crypto"]),
    ("rand_chacha", &["entropy"]),
    ("rustix", &["space"]),
    ("governor", &["limits"]),
    ("figment", &["config"]),
    ("toml", &["cli"]),
    ("clap", &["cli", "main"]),
    ("std::env", &["config"]),
];

/// No file is longer than this without its tests.
const LINES: usize = 400;

#[test]
fn imports_run_downward_and_heavy_dependencies_have_one_address() {
    let broken: Vec<String> = sources().iter().flat_map(|(file, text)| broken_rules(file, text)).collect();
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn no_file_is_over_budget() {
    let long: Vec<String> = sources().iter().filter_map(|(file, text)| too_long(file, text)).collect();
    assert!(long.is_empty(), "\n{}", long.join("\n"));
}

#[test]
fn the_table_names_modules_that_exist() {
    let modules: BTreeSet<String> = sources().iter().map(|(file, _)| place(file).remove(0)).collect();
    let known: BTreeSet<String> = FLOORS.iter().map(|(module, _)| (*module).to_owned()).collect();
    assert_eq!(modules, known);
}

#[test]
fn rows_and_their_history_know_nothing_of_the_server_and_of_each_other() {
    let manifest = |member: &str| fs::read_to_string(root().join(member).join("Cargo.toml")).unwrap();
    let depends = |member: &str, on: &str| {
        manifest(member).lines().any(|line| line.split(['=', '.', ' ']).next() == Some(on))
    };
    assert!(depends("entity", "sea-orm"), "the look-up itself works");
    for (member, on) in
        [("entity", "latchkey"), ("entity", "migration"), ("migration", "latchkey"), ("migration", "entity")]
    {
        assert!(
            !depends(member, on),
            "{member}/Cargo.toml: rows move, their history must not move with them ({on})"
        );
    }
}

#[test]
fn each_broken_rule_is_noticed() {
    let told = |file: &str, text: &str| broken_rules(file, text).join("; ");
    for (file, text, named) in [
        ("graphql/page.rs", "use crate::store::page::Cursor;", "crate::store::page::Cursor"),
        ("graphql/keys.rs", "fn f() { crate::crypto::secret::client_id(); }", "crate::crypto"),
        ("http/token.rs", "use crate::{error::Error, store};", "crate::store"),
        ("http/token.rs", "use {crate::{\n  store as x,\n}};", "crate::store"),
        ("http/token.rs", "use super::super::crypto::jwt;", "crate::crypto::jwt"),
        (
            "graphql/viewer.rs",
            "use crate::access::{Caller, policy::decide};",
            "crate::access::policy::decide",
        ),
        ("actions/keys/create.rs", "use crate::actions::roles;", "crate::actions::roles"),
        ("actions/keys/create.rs", "use super::super::roles::find;", "crate::actions::roles::find"),
        ("actions/roles.rs", "use super::{keys, scopes};", "crate::actions::keys"),
        ("actions/roles.rs", "use axum::Json;", "axum"),
        ("actions/roles.rs", "use async_graphql::{self as g, ID};", "async_graphql"),
        ("actions/roles.rs", "use crate::graphql::code;", "crate::graphql::code"),
        ("store/keys.rs", "use crate::clock::Clock;", "crate::clock::Clock"),
        ("store/keys.rs", "use crate::context::Context;", "crate::context::Context"),
        ("access/policy.rs", "use crate::store::Tx;", "crate::store::Tx"),
        ("crypto/jwt.rs", "use crate::error::Error;", "crate::error::Error"),
        ("context.rs", "use sea_orm::{\n    ConnectionTrait};", "sea_orm"),
        ("limits.rs", "fn f() { std::env::var(\"X\"); }", "std::env"),
        ("journal.rs", "use std::{env, fs};", "std::env"),
        ("app.rs", "use governor as g;", "governor"),
        ("app.rs", "extern crate argon2;", "argon2"),
        ("jobs.rs", "use crate::{self as all};", "root of the crate"),
        ("brand_new.rs", "", "brand_new"),
    ] {
        assert!(told(file, text).contains(named), "{file}: {text}: {}", told(file, text));
    }
}

#[test]
fn what_is_allowed_and_what_only_looks_like_an_import_passes() {
    for (file, text) in [
        ("store/rows.rs", "use sea_orm::Select; use crate::access::{Reach, Rows};"),
        (
            "actions/keys/mod.rs",
            "pub use crate::store::keys::Key; use super::keys::bulk; use crate::actions::keys::create;",
        ),
        ("access/reach.rs", "pub(in crate::access) fn f() {} use super::{Action, Scopes};"),
        ("http/mod.rs", "use super::http::headers; use self::token::exchange; use crate::graphql::Schema;"),
        (
            "actions/mod.rs",
            "//! [`Context`]: crate::http::Context\n/* use axum::Json; */ pub use crate::store::page;",
        ),
        (
            "error.rs",
            "const A: &str = \"use crate::http::X; \\\" axum::Json\"; const B: char = '\"'; fn f<'a>() {}",
        ),
        (
            "error.rs",
            "const A: &str = r#\"use crate::http::X; \" axum::Json\"#; mod x { fn axum() { a::axum::b() } }",
        ),
        ("entropy.rs", "fn f() {}\n#[cfg(test)]\nmod tests { use crate::http::routes; }"),
    ] {
        assert_eq!(broken_rules(file, text), Vec::<String>::new(), "{file}: {text}");
    }
}

#[test]
fn a_file_over_budget_is_noticed_and_its_tests_do_not_count() {
    let long = "fn f() {}\n".repeat(LINES + 1);
    assert!(too_long("app.rs", &long).unwrap().contains("split"));
    let tests = format!("fn f() {{}}\n#[cfg(test)]\nmod tests {{\n{long}}}\n");
    assert_eq!(too_long("app.rs", &tests), None);
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every source file of the server: its path below `src/`, and its text.
fn sources() -> Vec<(String, String)> {
    let src = root().join("src");
    let mut folders = vec![src.clone()];
    let mut files: Vec<PathBuf> = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let list = if path.is_dir() { &mut folders } else { &mut files };
            list.push(path);
        }
    }
    files.sort();
    let rust = files.iter().filter(|path| path.extension().is_some_and(|end| end == "rs"));
    rust.map(|path| {
        let name = path.strip_prefix(&src).unwrap().to_str().unwrap().to_owned();
        (name, fs::read_to_string(path).unwrap())
    })
    .collect()
}

/// The module of a file, outermost first: `actions/keys/mod.rs` is `[actions, keys]`.
fn place(file: &str) -> Vec<String> {
    let path = file.trim_end_matches(".rs").trim_end_matches("/mod");
    path.split('/').map(str::to_owned).collect()
}

/// What of a file's text counts: not the tests at its end.
fn without_tests(text: &str) -> &str {
    text.split_once("\n#[cfg(test)]\nmod tests {").map_or(text, |(code, _)| code)
}

fn too_long(file: &str, text: &str) -> Option<String> {
    let lines = without_tests(text).lines().count();
    (lines > LINES).then(|| {
        format!("src/{file} has {lines} lines without its tests, at most {LINES}: split it along a noun or a verb, never into utils")
    })
}

/// One sentence for each import of a file that the tables do not allow.
fn broken_rules(file: &str, text: &str) -> Vec<String> {
    let place = place(file);
    let module = place[0].as_str();
    let Some((_, allowed)) = FLOORS.iter().find(|(name, _)| *name == module) else {
        return vec![format!(
            "src/{file}: the module {module} is new: give it a floor in tests/it/floors.rs"
        )];
    };
    let imports = Imports::of(without_tests(text), &place).found;
    imports
        .iter()
        .filter_map(|path| wrong(path, &place, allowed))
        .map(|what| format!("src/{file} {what}"))
        .collect()
}

fn wrong(path: &[String], place: &[String], allowed: &[&str]) -> Option<String> {
    let (shown, module) = (path.join("::"), place[0].as_str());
    let address =
        ADDRESSES.iter().find(|(name, _)| shown == *name || shown.starts_with(&format!("{name}::")));
    if let Some((dependency, homes)) = address {
        return (!homes.contains(&module))
            .then(|| format!("uses {shown}: {dependency} is spoken in {} only", homes.join(" and ")));
    }
    if shown == "crate" {
        return Some("names the root of the crate: name what is used of it".to_owned());
    }
    let [root, target, rest @ ..] = path else { return None };
    if root != "crate" {
        return None;
    }
    let inside = &shown["crate::".len()..];
    if let Some((_, _, instead)) =
        CLOSED.iter().find(|(from, to, _)| *from == module && inside.starts_with(to))
    {
        return Some(format!("uses {shown}: {instead}"));
    }
    // No action calls another: what two of them share lies a floor below.
    let shared = rest.first() == Some(&"page".to_owned());
    if module == "actions"
        && target == "actions"
        && place.len() > 1
        && rest.first() != place.get(1)
        && !shared
    {
        return Some(format!(
            "uses {shown}: an action never calls another; let the shared step sink to a floor below"
        ));
    }
    (target != module && !allowed.contains(&target.as_str())).then(|| {
        format!("uses {shown}: {module} may import {allowed:?}; let a floor between re-export the type or do the step")
    })
}

/// A reader of paths: enough of Rust's grammar to find what a file refers to outside itself.
struct Imports<'a> {
    place: &'a [String],
    found: Vec<Vec<String>>,
}

impl<'a> Imports<'a> {
    fn of(text: &str, place: &'a [String]) -> Self {
        let mut imports = Self { place, found: Vec::new() };
        let tokens = tokens(text);
        let mut at = 0;
        while at < tokens.len() {
            let follows =
                |n: usize| at.checked_sub(n).and_then(|before| tokens.get(before)).map(String::as_str);
            let begins = tokens.get(at + 1).is_some_and(|next| next == "::") && follows(1) != Some("::");
            let named = tokens[at] == "use" || (tokens[at] == "crate" && follows(1) == Some("extern"));
            at = if named {
                imports.tree(&tokens, at + 1, &[])
            } else if begins && is_word(&tokens[at]) {
                imports.tree(&tokens, at, &[])
            } else {
                at + 1
            };
        }
        imports
    }

    /// Reads a path, or a tree of paths in braces; returns where it ends.
    fn tree(&mut self, tokens: &[String], mut at: usize, before: &[String]) -> usize {
        let mut path = before.to_vec();
        loop {
            match tokens.get(at).map(String::as_str) {
                Some("{") => {
                    at += 1;
                    while !matches!(tokens.get(at).map(String::as_str), Some("}") | None) {
                        at = self.tree(tokens, at, &path).max(at + 1);
                        while matches!(tokens.get(at).map(String::as_str), Some("," | "as" | "_")) {
                            at += 1 + usize::from(tokens[at] == "as");
                        }
                    }
                    return at + 1;
                }
                Some("::") => at += 1,
                Some(word) if is_word(word) || word == "*" => {
                    path.push(word.to_owned());
                    at += 1;
                    if tokens.get(at).is_none_or(|next| next != "::") {
                        break;
                    }
                }
                _ => break,
            }
        }
        self.found.push(self.absolute(path));
        at
    }

    /// `self` and `super` written out.
    fn absolute(&self, path: Vec<String>) -> Vec<String> {
        let ups = path.iter().take_while(|word| *word == "super" || *word == "self").count();
        if ups == 0 {
            return path.into_iter().filter(|word| word != "self").collect();
        }
        let levels = path[..ups].iter().filter(|word| *word == "super").count();
        let parent = self.place[..self.place.len().saturating_sub(levels)].iter().cloned();
        std::iter::once("crate".to_owned()).chain(parent).chain(path[ups..].iter().cloned()).collect()
    }
}

fn is_word(token: &str) -> bool {
    token.starts_with(|first: char| first.is_alphabetic() || first == '_')
}

/// Words, `::` and single signs; no comments, no literals.
fn tokens(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = skipped(rest);
        if length > 0 {
            rest = &rest[length..];
        } else if is_word(rest) {
            let end = rest.find(|sign: char| !sign.is_alphanumeric() && sign != '_').unwrap_or(rest.len());
            found.push(rest[..end].to_owned());
            rest = &rest[end..];
        } else {
            let sign = if rest.starts_with("::") { "::".to_owned() } else { first.to_string() };
            rest = &rest[sign.len()..];
            found.push(sign);
        }
    }
    found
}

/// How much of the text's beginning is space, a comment or a literal.
fn skipped(text: &str) -> usize {
    let until =
        |end: &str, from: usize| text[from..].find(end).map_or(text.len(), |at| from + at + end.len());
    if text.starts_with("//") {
        return until("\n", 2);
    }
    if text.starts_with("/*") {
        return until("*/", 2);
    }
    if let Some(raw) = text.strip_prefix('r').filter(|raw| raw.trim_start_matches('#').starts_with('"')) {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        return until(&format!("\"{}", "#".repeat(hashes)), 2 + hashes);
    }
    let quote = match text.chars().next() {
        Some(space) if space.is_whitespace() => return space.len_utf8(),
        Some('"') => '"',
        // A character, not a lifetime.
        Some('\'') if text.starts_with("'\\") || text.chars().nth(2) == Some('\'') => '\'',
        _ => return 0,
    };
    let mut escaped = false;
    for (at, sign) in text.char_indices().skip(1) {
        if sign == quote && !escaped {
            return at + 1;
        }
        escaped = sign == '\\' && !escaped;
    }
    text.len()
}
