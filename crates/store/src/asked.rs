//! What the hub may be asked about, as it is kept.

use bailiwick_core::resource::{ResourceType, SubjectType};

use crate::{Entity, KeyValue, Table};

impl Entity for SubjectType {
    const TABLE: Table = Table::SubjectTypes;
    fn key(&self) -> String {
        self.name.to_string()
    }
    fn keys(&self) -> Vec<KeyValue> {
        vec![]
    }
}

impl Entity for ResourceType {
    const TABLE: Table = Table::ResourceTypes;
    fn key(&self) -> String {
        self.name.to_string()
    }
    fn keys(&self) -> Vec<KeyValue> {
        vec![]
    }
}
