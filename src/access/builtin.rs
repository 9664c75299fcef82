//! What every installation starts with: Latchkey's own scopes, and the roles made of them.

use entity::scope::ScopeKind;

pub const KEYS_USE: &str = "keys:use";
pub const KEYS_READ: &str = "keys:read";
pub const KEYS_WRITE: &str = "keys:write";
pub const KEYS_READ_ANY: &str = "keys:read:any";
pub const KEYS_WRITE_ANY: &str = "keys:write:any";
pub const KEYS_CREATE_ANY: &str = "keys:create:any";
pub const ROLES_READ: &str = "roles:read";
pub const SCOPES_READ: &str = "scopes:read";
pub const ACTIVITY_READ: &str = "activity:read";
pub const ACTIVITY_READ_ANY: &str = "activity:read:any";
pub const TOKENS_INTROSPECT: &str = "tokens:introspect";

/// The name of the service account that owns keys made by the command without an owner.
pub const OPERATOR_ACCOUNT: &str = "operator";
/// The name of the role that grants everything, now and in future.
pub const ADMIN_ROLE: &str = "admin";
/// The name of the role that users have unless they are given others.
pub const MEMBER_ROLE: &str = "member";

/// A scope of Latchkey's own API.
#[derive(Clone, Copy, Debug)]
pub struct BuiltInScope {
    pub name: &'static str,
    pub kind: ScopeKind,
    pub description: &'static str,
}

const fn read(name: &'static str, description: &'static str) -> BuiltInScope {
    BuiltInScope { name, kind: ScopeKind::Read, description }
}

const fn write(name: &'static str, description: &'static str) -> BuiltInScope {
    BuiltInScope { name, kind: ScopeKind::Write, description }
}

/// Latchkey's own scopes.
pub const SCOPES: [BuiltInScope; 21] = [
    read(KEYS_USE, "Use one's own API keys"),
    read(KEYS_READ, "See one's own API keys"),
    write(KEYS_WRITE, "Create, change, rotate and delete one's own API keys"),
    read(KEYS_READ_ANY, "See all API keys"),
    write(KEYS_WRITE_ANY, "Change, rotate and delete all API keys"),
    write(KEYS_CREATE_ANY, "Create API keys for other owners"),
    read("users:read", "See users"),
    write("users:write", "Create, change and deactivate users"),
    read("service-accounts:read", "See service accounts"),
    write("service-accounts:write", "Create, change and delete service accounts"),
    read("groups:read", "See groups and their members"),
    write("groups:write", "Create, change and delete groups, and choose their members"),
    read(ROLES_READ, "See roles and the scopes they grant"),
    write("roles:write", "Create, change and delete roles"),
    read(SCOPES_READ, "See APIs and their scopes"),
    write("scopes:write", "Create, change and delete APIs and their scopes"),
    read(ACTIVITY_READ, "See and export activity that concerns one's own account"),
    read(ACTIVITY_READ_ANY, "See and export all activity"),
    read("settings:read", "See the settings"),
    write("settings:write", "Change the settings"),
    read(TOKENS_INTROSPECT, "Introspect access tokens"),
];

/// A role that every installation has.
#[derive(Clone, Copy, Debug)]
pub struct BuiltInRole {
    pub name: &'static str,
    pub description: &'static str,
    pub grants: Grants,
}

/// What a built-in role grants.
#[derive(Clone, Copy, Debug)]
pub enum Grants {
    /// Every scope of every API, now and in future.
    Everything,
    /// One's own API keys and activity, and these.
    MemberAnd(&'static [&'static str]),
    /// Every scope of Latchkey's own API whose name ends in `:read` or `:read:any`.
    EveryRead,
}

const MEMBER: [&str; 6] = [KEYS_USE, KEYS_READ, KEYS_WRITE, ROLES_READ, SCOPES_READ, ACTIVITY_READ];

impl Grants {
    /// The names of Latchkey's own scopes that it grants; an all-scopes role needs none spelled out.
    pub fn names(self) -> Vec<&'static str> {
        let is_read = |name: &&str| name.ends_with(":read") || name.ends_with(":read:any");
        match self {
            Self::Everything => Vec::new(),
            Self::MemberAnd(more) => [&MEMBER, more].concat(),
            Self::EveryRead => SCOPES.iter().map(|scope| scope.name).filter(is_read).collect(),
        }
    }
}

/// The built-in roles.
pub const ROLES: [BuiltInRole; 5] = [
    BuiltInRole {
        name: ADMIN_ROLE,
        description: "Every scope, now and in the future",
        grants: Grants::Everything,
    },
    BuiltInRole {
        name: "key-manager",
        description: "Manage all API keys, and see who owns them",
        grants: Grants::MemberAnd(&[
            KEYS_READ_ANY,
            KEYS_WRITE_ANY,
            KEYS_CREATE_ANY,
            "users:read",
            "groups:read",
        ]),
    },
    BuiltInRole {
        name: "analyst",
        description: "Manage one's own API keys, and see all activity",
        grants: Grants::MemberAnd(&[ACTIVITY_READ_ANY]),
    },
    BuiltInRole { name: "auditor", description: "See everything, change nothing", grants: Grants::EveryRead },
    BuiltInRole {
        name: MEMBER_ROLE,
        description: "Manage one's own API keys, and see one's own activity",
        grants: Grants::MemberAnd(&[]),
    },
];
