//! What a query gives.

/// What a query gave.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Results {
    /// The rows, in order.
    pub rows: Vec<ResultRow>,
    /// What was looked at for them.
    pub statistics: Statistics,
}

/// A row of results: fields and values in the order of the query. A field without a value is not there; rows that are
/// single events have `@ptr` at their end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ResultRow {
    /// (field, value).
    pub fields: Vec<(String, String)>,
}

impl ResultRow {
    /// The value of a field.
    #[must_use]
    pub fn get(&self, field: &str) -> Option<&str> {
        self.fields.iter().find(|(name, _)| name == field).map(|(_, value)| value.as_str())
    }
}

/// What a query looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Events that passed the filters.
    pub records_matched: u64,
    /// Events looked at.
    pub records_scanned: u64,
    /// Their messages' size in bytes.
    pub bytes_scanned: u64,
}
