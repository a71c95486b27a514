//! One error for all stores: it says what the caller can do.

/// What went wrong in the store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The row was changed or taken by somebody else since it was read: read again, decide again.
    #[error("`{id}` in {table} was changed meanwhile")]
    Conflict {
        /// The table.
        table: &'static str,
        /// The row.
        id: String,
    },
    /// The work item is no longer held by this worker: drop what was done for it.
    #[error("work item {seq} is no longer held")]
    LostLease {
        /// The work item.
        seq: i64,
    },
    /// The database cannot be reached or is busy: try again later.
    #[error("the database is not available")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// What is stored cannot be read: somebody or something else wrote it.
    #[error("{table}.{column} of row `{row}` holds something that is not ours")]
    Inconsistent {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// The row.
        row: String,
    },
    /// The database was made by a newer version of the hub.
    #[error(
        "the database has schema version {found}, this program knows up to {known}; use the newer program"
    )]
    Newer {
        /// The version found.
        found: i64,
        /// The highest version known.
        known: i64,
    },
    /// There is a database, but not one of the hub's.
    #[error("`{0}` is not a database of this program; name another one, or an empty one")]
    Foreign(String),
    /// An earlier call in this transaction failed: begin again.
    #[error("the transaction was given up because a call in it failed")]
    Aborted,
    /// The address of the store is not understood.
    #[error("`{0}` is not a store: use a file name, `sqlite:FILE` or `postgres://…`")]
    Address(String),
    /// Statements of others are on the connection: something gives it for one transaction only.
    #[error(
        "there is a pooler before the database that gives a connection for one transaction; say so in the address by \
         the parameter `statement-cache-capacity=0`"
    )]
    Pooled,
    /// Anything else: a bug or a broken database.
    #[error("the database refused a statement")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// What store operations give back.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

impl StoreError {
    /// A call that no caller should make.
    pub(crate) fn misuse(what: &'static str) -> Self {
        Self::Internal(what.into())
    }

    /// The stable code of the error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Conflict { .. } => "store-conflict",
            Self::LostLease { .. } => "lost-lease",
            Self::Unavailable(_) => "store-unavailable",
            Self::Inconsistent { .. } => "store-inconsistent",
            Self::Newer { .. } => "store-newer",
            Self::Foreign(_) => "store-foreign",
            Self::Aborted => "store-aborted",
            Self::Address(_) => "store-address",
            Self::Pooled => "store-pooled",
            Self::Internal(_) => "store-internal",
        }
    }
}
