//! A made-up company as a whole hub serves it: its people in a file, its systems in a lab, and rules by which everybody
//! has an account on each system and is in one group of each kind.

use std::{fmt::Write as _, fs, path::Path};

use bailiwick_lab::{Lab, Seed, SeedGroup};

use crate::{hub::Hub, laboratory::faithful, source::personnel};

/// How large it is.
pub struct Company {
    /// How many people.
    pub people: usize,
    /// How many systems.
    pub systems: usize,
    /// Kinds of groups, each an attribute of people, and how many people are in one.
    pub groups: &'static [(&'static str, usize)],
}

/// One of so many people changes between two files.
const MOVES: usize = 10;

impl Company {
    /// The names of its systems.
    pub fn names(&self) -> Vec<String> {
        (0..self.systems).map(|n| format!("system{n}")).collect()
    }

    /// The names of the groups of a system.
    fn groups(&self) -> impl Iterator<Item = String> {
        let of = |(what, size): &(&'static str, usize)| {
            let what = *what;
            (0..self.people.div_ceil(*size)).map(move |n| format!("{what}-{n}"))
        };
        self.groups.iter().flat_map(of)
    }

    /// The systems with their groups, and nobody in them.
    pub fn lab(&self) -> Lab {
        let lab = faithful(&self.names(), 100);
        for name in self.names() {
            let group =
                |name: String| SeedGroup { id: Some(format!("g-{name}")), name, ..SeedGroup::default() };
            lab.seed(&name, &Seed { groups: self.groups().map(group).collect(), ..Seed::default() }).unwrap();
        }
        lab
    }

    /// Tells a hub of all systems of a lab and looks at them; nobody is known yet.
    pub fn set_up(&self, hub: &Hub, lab: &str) {
        let systems: String = self.names().iter().map(|name| self.system(name, lab)).collect();
        let groups = self.groups.iter().map(|(what, _)| (*what, *what));
        let attributes: Vec<_> =
            [("display_name", "name"), ("email", "email")].into_iter().chain(groups).collect();
        let source = personnel(&attributes);
        hub.apply(&[("hr.toml", &source), ("systems.toml", &systems), ("rules.cedar", &self.rules())]);
        for name in self.names() {
            for (purpose, token) in [("write", "write"), ("verify", "read")] {
                hub.run_with(&["credential", "set", &name, purpose], &format!("{name}-{token}"));
            }
            hub.run(&["reconcile", &name]);
        }
        hub.quiet();
    }

    /// Hands the people over to a hub and waits until it has nothing to do; gives how many are called otherwise.
    pub fn import(&self, hub: &Hub, folder: &Path, turn: usize) -> usize {
        self.hand_over(hub, folder, turn);
        hub.quiet();
        self.people.div_ceil(MOVES)
    }

    /// Hands the people over to a hub. From one `turn` to the next some are called otherwise.
    pub fn hand_over(&self, hub: &Hub, folder: &Path, turn: usize) {
        let kinds: String = self.groups.iter().map(|(what, _)| format!(",{what}")).collect();
        let mut feed = format!("id,name,email{kinds}\n");
        for n in 0..self.people {
            let said = if n % MOVES == 0 { turn } else { 0 };
            write!(feed, "{n},Person Number {n} {said},person{n}@example.test").unwrap();
            for (what, size) in self.groups {
                write!(feed, ",{what}-{}", n / size).unwrap();
            }
            feed.push('\n');
        }
        fs::write(folder.join("people.csv"), feed).unwrap();
        hub.run(&["import", "hr", "people.csv", "--no-wait"]);
    }

    /// Everybody is everywhere, and in all groups that are theirs.
    pub fn proven(&self, lab: &Lab) {
        for name in self.names() {
            let truth = lab.truth(&name).unwrap();
            let theirs = truth.users.iter().filter(|user| user.user_name.starts_with("person"));
            let right = theirs.filter(|user| user.active && user.groups.len() == self.groups.len()).count();
            assert_eq!(right, self.people, "{name}");
        }
    }

    /// A system as the hub is told of it.
    fn system(&self, name: &str, lab: &str) -> String {
        let mut text = format!(
            r#"
[system.{name}]
title = "{name}"
classes = ["primary-account", "direct-groups"]
on_leave = "disable"
convergence = "1s"
retention_days = 30
[system.{name}.account]
userName = "{{email}}"
displayName = "{{display_name}}"
[entitlement."{name}/account"]
class = "primary-account"
[integration.{name}]
purpose = "Accounts and groups"
owner = "hr/1"
backup = "hr/2"
boundary = "inside"
vendor = "Lab Ltd"
data_flows = ["names"]
privilege_flows = ["groups"]
connector = "scim"
endpoint = "http://{lab}/{name}"
system = "{name}"
writes_per_minute = 10000000
scope = [
  "discover GET /scim/v2/ServiceProviderConfig", "discover GET /scim/v2/Schemas",
  "list GET /scim/v2/Users", "get GET /scim/v2/Users/{{id}}",
  "create POST /scim/v2/Users", "update PATCH /scim/v2/Users/{{id}}", "update PUT /scim/v2/Users/{{id}}",
  "delete DELETE /scim/v2/Users/{{id}}",
  "list GET /scim/v2/Groups", "get GET /scim/v2/Groups/{{id}}",
  "grant PATCH /scim/v2/Groups/{{id}}", "revoke PATCH /scim/v2/Groups/{{id}}",
]
[integration.{name}.settings]
base = "/scim/v2"
idempotency_header = "Idempotency-Key"
"#
        );
        for group in self.groups() {
            writeln!(
                text,
                "[entitlement.\"{name}/{group}\"]\nclass = \"direct-groups\"\nlabel = \"{group}\""
            )
            .unwrap();
        }
        text
    }

    /// Who gets what.
    fn rules(&self) -> String {
        let mut text = String::from(
            r#"@id("routine") permit(principal is Rule, action == Action::"approve", resource) when { resource.cause == "joiner" };
"#,
        );
        for name in self.names() {
            let mut hold = |id: &str, when: &str| {
                writeln!(
                text,
                "@id(\"{name}-{id}\") permit(principal, action == Action::\"hold\", resource == Entitlement::\"{name}/{id}\") when {{ {when} }};"
            )
            .unwrap();
            };
            hold("account", "principal.kind == \"person\"");
            for group in self.groups() {
                let (what, _) = group.split_once('-').unwrap();
                hold(&group, &format!("principal.{what} == \"{group}\""));
            }
        }
        text
    }
}
