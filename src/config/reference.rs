//! The page of the documentation about settings.

use super::{DEFAULTS, ENVIRONMENT};

/// The configuration reference: the defaults file as a table.
pub fn reference() -> String {
    let mut rows = String::new();
    let mut comment: Vec<&str> = Vec::new();
    for line in DEFAULTS.lines() {
        let text = line.strip_prefix("# ").unwrap_or(line);
        match text.split_once(" = ").filter(|(name, _)| !name.contains(' ')) {
            Some((name, value)) => {
                let default = if line.starts_with('#') { "not set".to_owned() } else { format!("`{value}`") };
                let about = comment.join(" ").replace('|', "\\|");
                rows.push_str(&format!(
                    "| `{name}` | `{ENVIRONMENT}{}` | {default} | {about} |\n",
                    name.to_uppercase()
                ));
                comment.clear();
            }
            None if line.is_empty() => comment.clear(),
            None => comment.push(text),
        }
    }
    format!(
        "# Configuration\n\nGenerated from `config.default.toml`. Settings come from `latchkey.toml` in the current directory, then from \
         environment variables, then from command-line options; later ones take precedence. With an invalid setting, \
         the server does not start, and the error names the setting.\n\n\
         | setting | environment | default | meaning |\n| --- | --- | --- | --- |\n{rows}"
    )
}
