//! Whom the kit tests: what is connected, against what, by which test, and what has no row on the page and why.

/// What stands on the other side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Against {
    /// Something that plays it.
    Fake,
    /// It itself.
    Real,
}

use Against::{Fake, Real};

impl Against {
    pub const ALL: [Self; 2] = [Fake, Real];

    pub const fn as_str(self) -> &'static str {
        match self {
            Fake => "fake",
            Real => "real",
        }
    }
}

/// The subjects of one test that are of one sort.
pub struct Run {
    /// A kind of connector; behind a comma, which of the things that it speaks to.
    pub to: &'static str,
    pub against: Against,
    /// The file and the function of the test.
    pub test: (&'static str, &'static str),
    pub subjects: &'static [&'static str],
}

const HOLDS: &str = "the_contract_holds";

#[rustfmt::skip]
pub const RUNS: &[Run] = &[
    Run { to: "aws-iam", against: Fake, test: ("aws_iam_kit", HOLDS), subjects: &["aws-iam × fake"] },
    Run { to: "aws-iam", against: Real, test: ("aws_iam_real", HOLDS), subjects: &["aws-iam × moto"] },
    Run { to: "csv", against: Real, test: ("csv", "it_keeps_the_contract"), subjects: &["csv × folder"] },
    Run { to: "ldap, OpenLDAP", against: Fake, test: ("ldap_kit", HOLDS), subjects: &[
        "ldap × fake, Setup { locks: true, session_log: true }",
        "ldap × fake, Setup { locks: true, session_log: false }",
        "ldap × fake, Setup { locks: false, session_log: true }",
        "ldap × fake, Setup { locks: false, session_log: false }",
    ] },
    Run { to: "ldap, OpenLDAP", against: Real, test: ("ldap_real", HOLDS), subjects: &[
        "ldap × slapd, policy Strict, session log true",
        "ldap × slapd, policy Lax, session log true",
        "ldap × slapd, policy None, session log true",
        "ldap × slapd, policy NoOverlay, session log true",
    ] },
    Run { to: "ldap, OpenLDAP", against: Real,
          test: ("ldap_real", "the_contract_holds_for_unique_members_without_a_session_log"),
          subjects: &["ldap × slapd, policy Strict, session log false"] },
    Run { to: "ldap, Active Directory", against: Real, test: ("ldap_active", HOLDS), subjects: &["ldap × samba"] },
    Run { to: "rest, keycloak", against: Fake, test: ("rest_kit", HOLDS), subjects: &[
        "rest × keycloak, simulated",
        "rest × keycloak without `delete`, simulated",
        "rest × keycloak with `disable` and `enable` alone, simulated",
    ] },
    Run { to: "rest, gitlab-group", against: Fake, test: ("rest_kit", HOLDS), subjects: &["rest × gitlab-group, simulated"] },
    Run { to: "rest, keystone", against: Real, test: ("rest_real", "the_contract_holds_and_a_disabled_user_is_kept_out"),
          subjects: &["rest × keystone 30.0.0"] },
    Run { to: "scim", against: Fake, test: ("scim_kit", HOLDS), subjects: &[
        "scim × lab, Index []",
        "scim × lab, Cursor []",
        "scim × lab, Index [PutOnly]",
        "scim × lab, Cursor [StaleRead]",
        "scim × lab, Index [AsyncMembers]",
        "scim × lab, Index [KeepsGroups, DormantToken]",
        "scim × lab, Index [LimitedPatch], PATCH without a path, flags as text",
    ] },
    Run { to: "scim", against: Real, test: ("scim_real", HOLDS), subjects: &[
        r#"scim × scim2-server, Index, without [], {"base":"/v2"}"#,
        r#"scim × scim2-server, Cursor, without [], {"base":"/v2"}"#,
        r#"scim × scim2-server, Index, without [], {"base":"/v2","update":"put"}"#,
        r#"scim × scim2-server, Index, without ["filter", "etag"], {"base":"/v2"}"#,
        r#"scim × scim2-server, Cursor, without ["patch"], {"base":"/v2"}"#,
    ] },
    Run { to: "scim, people", against: Fake, test: ("scim_kit", HOLDS), subjects: &[
        "scim × lab, people, Index []",
        "scim × lab, people, Cursor [StaleRead]",
    ] },
    Run { to: "scim, people", against: Real, test: ("scim_real", HOLDS), subjects: &[
        r#"scim × scim2-server, Index, without [], {"base":"/v2","people":{"key":"externalId"}}"#,
        r#"scim × scim2-server, Cursor, without ["filter"], {"base":"/v2","people":{"key":"employee_number"}}"#,
    ] },
    Run { to: "sql, roles", against: Real, test: ("sql_roles", HOLDS), subjects: &["sql roles × PostgreSQL"] },
    Run { to: "sql, tables", against: Real, test: ("sql_kit", HOLDS), subjects: &["sql tables × SQLite"] },
    Run { to: "sql, tables", against: Real, test: ("sql_tables", HOLDS), subjects: &["sql tables × PostgreSQL"] },
    Run { to: "vault", against: Fake, test: ("vault_kit", HOLDS), subjects: &["vault × fake, Root"] },
    Run { to: "vault", against: Real, test: ("vault_real", HOLDS), subjects: &[
        "vault × openbao, Root",
        "vault × openbao, Namespaces",
    ] },
    Run { to: "vault-log", against: Real, test: ("vault_log_real", HOLDS), subjects: &[
        "vault × openbao and its log, Root",
        "vault × openbao and its log, Namespaces",
    ] },
];

const BY_A_PERSON: &str =
    "a person makes the changes and says so: there is nothing that could be read or sent";
const CALLS_NOTHING: &str =
    "it calls nothing: who knows people pushes them to the hub, and the tests of the hub do that";
const SIMULATED: &str =
    "no server of it runs beside the tests: the simulated one is written after what the vendor documents";
const RECORDED: &str = "nobody plays it and no server of it runs beside the tests: each call is checked against the answer that the vendor documents";

/// What has no row.
#[rustfmt::skip]
pub const ABSENT: &[(&str, Against, &str)] = &[
    ("csv", Fake, "files in a folder need nobody to play them: the tests write real ones"),
    ("ldap, Active Directory", Fake, "what plays a domain in the tests only answers who asks for news; a domain that takes changes is a real one, Samba's"),
    ("manual", Fake, BY_A_PERSON),
    ("manual", Real, BY_A_PERSON),
    ("rest, github-org", Fake, RECORDED),
    ("rest, github-org", Real, RECORDED),
    ("rest, gitlab-group", Real, SIMULATED),
    ("rest, grafana", Fake, RECORDED),
    ("rest, grafana", Real, RECORDED),
    ("rest, jupyterhub", Fake, RECORDED),
    ("rest, jupyterhub", Real, RECORDED),
    ("rest, keycloak", Real, SIMULATED),
    ("rest, keystone", Fake, "the real one runs beside the tests"),
    ("scim-push", Fake, CALLS_NOTHING),
    ("scim-push", Real, CALLS_NOTHING),
    ("sql, roles", Fake, "roles without a server are not played: a real PostgreSQL runs beside the tests"),
    ("sql, tables", Fake, "SQLite runs in the process of the tests, and is a real one"),
    ("vault-log", Fake, "what is read is what a real server writes, in files that need nobody to play them"),
];
