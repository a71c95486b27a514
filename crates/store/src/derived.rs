//! What the key columns of a row have to be, by its document. Evidence has digests of documents alone; rows are found by
//! key columns, so that one which somebody else set would hide a row or show it as another.

use bailiwick_core::{
    account::Account,
    alignment::Alignment,
    approval::Approval,
    automation::Automation,
    budget::Ledger,
    case::{Case, Cell},
    drill::Drill,
    event::Event,
    exception::{Exception, GlassCase},
    factor::Factor,
    finding::Finding,
    identity::Identity,
    integration::Integration,
    person::Ties,
    policy::PolicyFile,
    profile::Profile,
    reserved::Reserved,
    resource::{ResourceType, SubjectType},
    review::{Review, Watch},
    scope_test::ScopeTest,
    signal::Signal,
    system::{Entitlement, System},
    task::Task,
    termination::Termination,
    transfer::Transfer,
};

use crate::{
    Entity, KeyValue, Row, Table,
    entities::{
        ApiToken, Audit, Batch, Caller, Credential, Fetched, Hint, Hook, KeyedRequest, Membership,
        NestedGroup, Operator, Passkey, PlanRow, PushedGroup, PushedMember, PushedUser, Reading, Recovery,
        Run, Session, Spent,
    },
};

macro_rules! every {
    ($($entity:ty),* $(,)?) => {
        /// The key columns of the row by its document; `None` where this program cannot read that.
        pub(crate) fn derived(table: Table, row: &Row) -> Option<Vec<KeyValue>> {
            $(if table == <$entity as Entity>::TABLE {
                return <$entity>::from_row(row).ok().map(|value| value.keys());
            })*
            None
        }

        #[cfg(test)]
        const TABLES: &[Table] = &[$(<$entity as Entity>::TABLE),*];
    };
}

every![
    Account,
    Alignment,
    ApiToken,
    Approval,
    Audit,
    Automation,
    Batch,
    Caller,
    Case,
    Cell,
    Credential,
    Drill,
    Entitlement,
    Event,
    Exception,
    Factor,
    Fetched,
    Finding,
    GlassCase,
    Hint,
    Hook,
    Identity,
    Integration,
    KeyedRequest,
    Ledger,
    Membership,
    NestedGroup,
    Operator,
    Passkey,
    PlanRow,
    PolicyFile,
    Profile,
    PushedGroup,
    PushedMember,
    PushedUser,
    Reading,
    Recovery,
    Reserved,
    ResourceType,
    Review,
    Run,
    ScopeTest,
    Session,
    Signal,
    Spent,
    SubjectType,
    System,
    Task,
    Termination,
    Ties,
    Transfer,
    Watch,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_is_there_once() {
        let mut tables = TABLES.to_vec();
        tables.sort();
        assert_eq!(tables, Table::ALL);
    }
}
