//! The payloads of mutations: the changed object under its own name, and what the caller can correct.

/// Makes the payload of the mutations of one noun.
macro_rules! payload_type {
    ($(#[$doc:meta])* $name:ident { $(#[$field_doc:meta])* $field:ident: $object:ty }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, async_graphql::SimpleObject)]
        pub(super) struct $name {
            $(#[$field_doc])*
            $field: Option<$object>,
            /// Errors that the caller can correct; empty on success.
            user_errors: Vec<$crate::graphql::error::UserError>,
        }

        impl $name {
            /// From what an action said.
            pub(super) fn from_result<T: Into<$object>>(
                result: $crate::error::Result<T>,
            ) -> async_graphql::Result<Option<Self>> {
                let (done, user_errors) = $crate::graphql::error::payload(result)?;
                Ok(Some(Self { $field: done.map(Into::into), user_errors }))
            }
        }
    };
}

pub(super) use payload_type;

use async_graphql::ID;
use entity::GlobalId;

use crate::error::Result;

payload_type!(
    /// Payload of the mutations that delete one object.
    DeletePayload {
        /// The id of the deleted object; null if there are errors.
        deleted_id: ID
    }
);

impl DeletePayload {
    /// From the id of what an action has deleted.
    pub(super) fn of(result: Result<impl Into<GlobalId>>) -> async_graphql::Result<Option<Self>> {
        Self::from_result(result.map(|id| ID(id.into().to_string())))
    }
}
