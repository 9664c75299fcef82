//! One variant for each thing that needs permission.

/// What a caller asks to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    ViewSelf,
    ViewKeys,
    CreateKey,
    CreateKeyForOthers,
    UpdateKey,
    RegenerateSecrets,
    EnableKeys,
    DisableKeys,
    DeleteKeys,
    ViewRoles,
    ViewScopes,
    ViewActivity,
    ViewUsers,
    ViewServiceAccounts,
    CreateUser,
}

impl Action {
    /// All actions, in the order of the printed policy.
    pub const ALL: [Self; 15] = [
        Self::ViewSelf,
        Self::ViewKeys,
        Self::CreateKey,
        Self::CreateKeyForOthers,
        Self::UpdateKey,
        Self::RegenerateSecrets,
        Self::EnableKeys,
        Self::DisableKeys,
        Self::DeleteKeys,
        Self::ViewRoles,
        Self::ViewScopes,
        Self::ViewActivity,
        Self::ViewUsers,
        Self::ViewServiceAccounts,
        Self::CreateUser,
    ];

    /// Whether it changes anything: read-only keys may not, and a reach for reading does not serve it.
    pub fn changes(self) -> bool {
        match self {
            Self::ViewSelf
            | Self::ViewKeys
            | Self::ViewRoles
            | Self::ViewScopes
            | Self::ViewActivity
            | Self::ViewUsers
            | Self::ViewServiceAccounts => false,
            Self::CreateKey
            | Self::CreateKeyForOthers
            | Self::UpdateKey
            | Self::RegenerateSecrets
            | Self::EnableKeys
            | Self::DisableKeys
            | Self::DeleteKeys
            | Self::CreateUser => true,
        }
    }
}
