//! What the systems themselves say: the users there are, and every effect that a call had.

use std::collections::{BTreeMap, BTreeSet};

use super::World;

impl World {
    /// What is true of every user of every system, by sign-in name, without ids and times.
    pub fn truth(&self) -> BTreeMap<String, String> {
        let mut out = BTreeMap::new();
        for system in &self.systems {
            let truth = self.lab.truth(system).unwrap();
            let name_of: BTreeMap<&str, &str> =
                truth.groups.iter().map(|g| (g.id.as_str(), g.display_name.as_str())).collect();
            for user in &truth.users {
                let groups: BTreeSet<&str> =
                    user.groups.iter().map(|g| name_of.get(g.as_str()).copied().unwrap_or("?")).collect();
                let tokens = user.tokens.iter().filter(|t| t.works).count();
                let (licences, sessions) = (user.licences.len(), user.sessions.len());
                let line = format!(
                    "active={} hidden={} name={:?} groups={groups:?} tokens={tokens} licences={licences} sessions={sessions}",
                    user.active,
                    user.hidden,
                    user.attributes.get("displayName").and_then(|n| n.as_str()).unwrap_or_default()
                );
                out.insert(format!("{system}/{}", user.user_name), line);
            }
        }
        out
    }

    /// How often each effect happened, by whom the hub acted on: from the systems' ledgers.
    pub fn effects(&self) -> BTreeMap<String, u64> {
        let mut out: BTreeMap<String, u64> = BTreeMap::new();
        for system in &self.systems {
            let truth = self.lab.truth(system).unwrap();
            let user_of: BTreeMap<&str, &str> =
                truth.users.iter().map(|u| (u.id.as_str(), u.user_name.as_str())).collect();
            let group_of: BTreeMap<&str, &str> =
                truth.groups.iter().map(|g| (g.id.as_str(), g.display_name.as_str())).collect();
            for entry in self.lab.ledger(system).unwrap() {
                if entry.cause.credential == bailiwick_lab::Credential::BackDoor {
                    continue;
                }
                let user = entry.user.as_deref().map(|u| user_of.get(u).copied().unwrap_or("(gone)"));
                let group = entry.group.as_deref().map(|g| group_of.get(g).copied().unwrap_or("(gone)"));
                let key =
                    format!("{system} {:?} {} {}", entry.effect, user.unwrap_or("-"), group.unwrap_or("-"));
                *out.entry(key).or_default() += 1;
            }
        }
        out
    }
}
