//! What the server says when it starts: one screen, with what to do next.

use std::path::Path;

use crate::config::{Config, MasterKeySource};
use crate::serve::Server;

/// With the file of the setup token, if there is no administrator yet.
pub(super) fn text(config: &Config, server: &Server, setup_token: Option<&Path>) -> String {
    let url = &server.app.issuer;
    let master_key = match &config.master_key {
        MasterKeySource::Given(_) => "from the settings".to_owned(),
        MasterKeySource::File(path) => {
            format!("in {} (back it up: without it, the database cannot be read)", path.display())
        }
    };
    let next = match setup_token {
        None => "  Create an API key:\n    latchkey keys create --name NAME --role member --owner E-MAIL\n"
            .to_owned(),
        Some(path) => format!(
            "  There is no administrator yet. Create one on this machine:\n    \
             latchkey admin create --email ada@example.com --password-stdin\n  \
             or with the setup token in {}, which is valid once, for one hour:\n    \
             POST {url}/setup\n",
            path.display()
        ),
    };
    format!(
        "Latchkey {version} is listening on http://{address}\n\n  \
         Public URL            {url}\n  \
         Token endpoint        {url}/oauth/token\n  \
         GraphQL               {url}/graphql\n  \
         Console               {url}/ (not part of this version yet)\n  \
         Database              {database}\n  \
         Master key            {master_key}\n\n{next}\n",
        version = env!("CARGO_PKG_VERSION"),
        address = server.address,
        database = config.database,
    )
}
