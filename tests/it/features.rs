//! The page of features says of each row which tests prove it. It is as the tests are, and a wrong marker is noticed.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use crate::schema::same;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What `tests/features` says about the project in this folder.
fn features(of: &Path) -> Output {
    Command::new(root().join("tests/features")).arg(of).output().unwrap()
}

/// A project with the real rows and one file of tests.
fn project(file: &str, text: &str) -> tempfile::TempDir {
    let project = tempfile::tempdir().unwrap();
    let path = project.path().join(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::create_dir_all(project.path().join("tests")).unwrap();
    fs::copy(root().join("tests/features.csv"), project.path().join("tests/features.csv")).unwrap();
    fs::write(path, text).unwrap();
    project
}

/// The line of a row on the page of this project.
fn row(project: &Path, id: &str) -> String {
    let output = features(project);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let page = String::from_utf8(output.stdout).unwrap();
    page.lines().find(|line| line.starts_with(&format!("| {id} |"))).unwrap().to_owned()
}

/// What is told instead of a page.
fn mistakes(project: &Path) -> String {
    let output = features(project);
    assert_eq!((output.status.code(), &*output.stdout), (Some(1), &b""[..]));
    String::from_utf8(output.stderr).unwrap().trim_end().to_owned()
}

#[test]
fn the_page_of_features_is_what_the_tests_prove() {
    let output = features(root());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    same("docs/features.md", &String::from_utf8(output.stdout).unwrap());
}

#[test]
fn a_marked_test_proves_its_rows_in_each_language() {
    for (file, text, proof) in [
        ("tests/it/a.rs", "/// Proves: D-02, D-04\n#[test]\nfn b() {}", "tests/it/a.rs::b"),
        (
            "tests/it/a/b.rs",
            "/// Why.\n/// Proves: D-04\n/// Proves: D-02\n#[tokio::test(flavor = \"multi_thread\")]\n#[expect(x)]\nasync fn c() {}",
            "tests/it/a/b.rs::c",
        ),
        ("conformance/a.test.mjs", "  // Proves: D-02, D-04\n  test(`a | ${b}: c`, d);", "a \\| ${b}: c"),
        ("conformance/test_a.py", "# Proves: D-02, D-04\n@fixture\ndef test_b(c):", "test_a.py::test_b"),
    ] {
        let project = project(file, text);
        let (with_screen, without) = (row(project.path(), "D-02"), row(project.path(), "D-04"));
        assert!(without.contains(&format!("{proof}`](../{file}) | proved |")), "{without}");
        // What the API does for it is proved, and its screen is still to come.
        assert!(with_screen.contains(&format!("{proof}`](../{file}) | console |")), "{with_screen}");
        assert!(row(project.path(), "D-10").ends_with("|  | console |"));
        assert!(row(project.path(), "D-16").ends_with("|  | not yet |"));
    }
}

#[test]
fn a_wrong_marker_is_told_with_its_place() {
    let form = "tests/a.rs:1: a marker reads `/// Proves: D-03, R-11`, with nothing behind";
    for (marker, test, told) in [
        ("/// Proves: D-99", "#[test]\nfn b() {}", "tests/a.rs:1: there is no row D-99"),
        ("/// Proves: Z-01, D-04", "#[test]\nfn b() {}", "tests/a.rs:1: there is no row Z-01"),
        ("/// Proves: D-04, D-04", "#[test]\nfn b() {}", "tests/a.rs:1: D-04 is named twice"),
        (
            "/// Proves: D-10",
            "#[test]\nfn b() {}",
            "tests/a.rs:1: D-10 is a screen: tests in tests/ cannot prove it",
        ),
        ("/// Proves: D-04", "fn b() {}", "tests/a.rs:1: no test follows the marker"),
        ("/// Proves: D-04", "#[derive(Debug)]\nstruct B;", "tests/a.rs:1: no test follows the marker"),
        ("/// Proves: D-04", "", "tests/a.rs:1: no test follows the marker"),
        ("/// Proves: D-04", "\n#[test]\nfn b() {}", "tests/a.rs:1: no test follows the marker"),
        ("// Proves: D-04", "#[test]\nfn b() {}", form),
        ("/// Proves D-04", "#[test]\nfn b() {}", form),
        ("/// proves: D-04.", "#[test]\nfn b() {}", form),
        ("/// Proves: D-4", "#[test]\nfn b() {}", form),
    ] {
        let project = project("tests/a.rs", &format!("{marker}\n{test}"));
        assert_eq!(mistakes(project.path()), told, "{marker}\n{test}");
    }
    // All of them at once, so that nobody mends one after the other.
    let text = "/// Proves: D-99\n#[test]\nfn b() {}\n/// Proves: D-04\nfn c() {}";
    let told = "tests/a.rs:1: there is no row D-99\ntests/a.rs:4: no test follows the marker";
    assert_eq!(mistakes(project("tests/a.rs", text).path()), told);
}

#[test]
fn a_lost_or_wrong_row_is_told() {
    let rows = fs::read_to_string(root().join("tests/features.csv")).unwrap();
    let lost = "tests/features.csv: the rows are not D-01 to R-25, each once and in order";
    let wrong = "tests/features.csv: D-10 has no statement, or a place that is none of api, api+console, console, docs, docs+console";
    let d10 = rows.lines().find(|line| line.starts_with("D-10,")).unwrap();
    for (instead, told) in [
        (String::new(), lost),
        (format!("{d10}\n{d10}\n"), lost),
        (format!("{}\n", d10.replace("D-10", "D-98")), lost),
        ("D-10,console,\n".to_owned(), wrong),
        (format!("{}\n", d10.replace("console", "screen")), wrong),
    ] {
        let project = project("tests/a.rs", "");
        let changed = rows.replace(&format!("{d10}\n"), &instead);
        fs::write(project.path().join("tests/features.csv"), changed).unwrap();
        assert_eq!(mistakes(project.path()), told, "{instead}");
    }
}
