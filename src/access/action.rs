//! One variant for each thing that needs permission.

/// What a caller asks to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    ViewSelf,
    EditSelf,
    ViewKeys,
    CreateKey,
    CreateKeyForOthers,
    UpdateKey,
    RegenerateSecrets,
    FinishRotation,
    EnableKeys,
    DisableKeys,
    DeleteKeys,
    ApproveKeys,
    RejectKeys,
    PreviewKeyForOthers,
    ViewRoles,
    ViewScopes,
    ViewActivity,
    ViewUsers,
    ViewServiceAccounts,
    ViewGroups,
    ViewSettings,
    EditUsers,
    EditServiceAccounts,
    EditGroups,
    EditRoles,
    EditScopes,
    EditSettings,
    IntrospectTokens,
}

impl Action {
    /// All actions, in the order in which permissions are printed.
    pub const ALL: [Self; 28] = [
        Self::ViewSelf,
        Self::EditSelf,
        Self::ViewKeys,
        Self::CreateKey,
        Self::CreateKeyForOthers,
        Self::UpdateKey,
        Self::RegenerateSecrets,
        Self::FinishRotation,
        Self::EnableKeys,
        Self::DisableKeys,
        Self::DeleteKeys,
        Self::ApproveKeys,
        Self::RejectKeys,
        Self::PreviewKeyForOthers,
        Self::ViewRoles,
        Self::ViewScopes,
        Self::ViewActivity,
        Self::ViewUsers,
        Self::ViewServiceAccounts,
        Self::ViewGroups,
        Self::ViewSettings,
        Self::EditUsers,
        Self::EditServiceAccounts,
        Self::EditGroups,
        Self::EditRoles,
        Self::EditScopes,
        Self::EditSettings,
        Self::IntrospectTokens,
    ];

    /// Whether it changes anything: read-only keys may not, and a reach for reading does not serve it.
    pub fn changes(self) -> bool {
        match self {
            Self::ViewSelf
            | Self::ViewKeys
            | Self::PreviewKeyForOthers
            | Self::ViewRoles
            | Self::ViewScopes
            | Self::ViewActivity
            | Self::ViewUsers
            | Self::ViewServiceAccounts
            | Self::ViewGroups
            | Self::ViewSettings
            | Self::IntrospectTokens => false,
            Self::EditSelf
            | Self::CreateKey
            | Self::CreateKeyForOthers
            | Self::UpdateKey
            | Self::RegenerateSecrets
            | Self::FinishRotation
            | Self::EnableKeys
            | Self::DisableKeys
            | Self::DeleteKeys
            | Self::ApproveKeys
            | Self::RejectKeys
            | Self::EditUsers
            | Self::EditServiceAccounts
            | Self::EditGroups
            | Self::EditRoles
            | Self::EditScopes
            | Self::EditSettings => true,
        }
    }
}
