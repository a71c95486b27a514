//! `examples/acme` as it is built into the program, and who plays which part in it.

use std::{collections::BTreeMap, net::SocketAddr};

use bailiwick_core::{access::AccessClass, id::SystemName, system::Entitlement};
use bailiwick_lab::SeedGroup;

use crate::{
    config::{self, Bundle},
    failure::{Failure, Result},
    translate,
};

/// The source of people.
pub const SOURCE: &str = "hr";
/// The systems.
pub const SYSTEMS: [&str; 3] = ["chat", "crm", "wiki"];
/// The system that answers 200 and does nothing.
pub const LIAR: &str = "crm";
/// The system that keeps groups on deactivation.
pub const KEEPER: &str = "wiki";
/// The system that does what it says.
pub const FAITHFUL: &str = "chat";
/// The integration whose owner leaves on the second day.
pub const ORPHAN: &str = "badges";
/// Who moves on the second day.
pub const MOVER: &str = "hr/1042";
/// Who has left by the second day.
pub const LEAVERS: [&str; 2] = ["hr/1007", "hr/1123"];
/// The integration whose owner takes it for less than it is.
pub const UNDERSTATED: &str = "marketing";
/// The integration that a rule which reads the location makes more than advisory.
pub const RAISED: &str = "facilities-flow";
/// The second administrator, and the person they are.
pub const SECOND_ADMIN: (&str, &str) = ("ines", "hr/1002");
/// A policy that reads the location.
pub const READS_LOCATION: (&str, &str) = (
    "policies/berlin.cedar",
    r#"@id("berlin-answers-incidents")
permit (principal, action == Action::"hold", resource == Entitlement::"chat/incidents")
when { principal has location && principal.location == "Berlin" && principal.department == "IT" };
"#,
);
/// The second operator, and the person they are.
pub const APPROVER: (&str, &str) = ("gabriel", "hr/1003");

/// The feed of the first day.
pub const DAY_1: &str = include_str!("../../../examples/acme/hr.csv");
/// The feed of the second day.
pub const DAY_2: &str = include_str!("../../../examples/acme/feeds/day-2.csv");
/// The feed of the second day, cut off after 40 %.
pub const TRUNCATED: &str = include_str!("../../../examples/acme/feeds/truncated.csv");

/// Where `examples/acme` expects the lab.
const LAB: &str = "127.0.0.1:7461";

/// The files of the configuration.
const FILES: [(&str, &str); 8] = [
    ("chat.toml", include_str!("../../../examples/acme/chat.toml")),
    ("crm.toml", include_str!("../../../examples/acme/crm.toml")),
    ("hr.toml", include_str!("../../../examples/acme/hr.toml")),
    ("partners.toml", include_str!("../../../examples/acme/partners.toml")),
    ("policies/approval.cedar", include_str!("../../../examples/acme/policies/approval.cedar")),
    ("policies/birthright.cedar", include_str!("../../../examples/acme/policies/birthright.cedar")),
    ("policies/duties.cedar", include_str!("../../../examples/acme/policies/duties.cedar")),
    ("wiki.toml", include_str!("../../../examples/acme/wiki.toml")),
];

/// The configuration, pointed at the lab at `address`.
pub fn configuration(address: SocketAddr) -> Bundle {
    FILES.iter().map(|(path, text)| ((*path).to_owned(), text.replace(LAB, &address.to_string()))).collect()
}

/// The classes that no interface of the systems shows.
pub const UNSEEN: [AccessClass; 1] = [AccessClass::OauthConsents];

/// The entitlements that a configuration names.
///
/// # Errors
/// What is wrong with the configuration.
pub fn entitlements(files: &Bundle) -> Result<Vec<Entitlement>> {
    let parsed = config::parse(files).map_err(|errors| Failure::from(translate::configuration(errors)))?;
    Ok(parsed.entitlements)
}

/// The groups that the systems have, whoever is in them.
///
/// # Errors
/// As [`entitlements`].
pub fn groups() -> Result<BTreeMap<SystemName, Vec<SeedGroup>>> {
    let files = FILES.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
    let mut groups: BTreeMap<SystemName, Vec<SeedGroup>> = BTreeMap::new();
    for entitlement in entitlements(&files)?.iter().filter(|e| is_group(e)) {
        let group = SeedGroup { name: entitlement.label.clone(), ..SeedGroup::default() };
        groups.entry(entitlement.name.system()).or_default().push(group);
    }
    Ok(groups)
}

/// Whether an entitlement is a group.
pub fn is_group(entitlement: &Entitlement) -> bool {
    matches!(entitlement.class, AccessClass::DirectGroups | AccessClass::NestedGroups)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_configuration_is_the_folder() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/acme");
        let read = crate::config::read_folder(&folder).unwrap();
        assert_eq!(read, FILES.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect());
        assert!(
            read.values().any(|text| text.contains(LAB)),
            "the demo points the configuration at its own lab"
        );
    }
}
