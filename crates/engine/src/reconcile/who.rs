//! Who made what differs, by the system's own log.

use bailiwick_core::{
    access::AccessClass,
    account::Account,
    audit::{Explained, Part},
    difference::{Aspect, Class, Difference},
};
use bailiwick_store::entities::Unexplained;

use super::{Comparing, classes::Judged};

impl Comparing<'_> {
    /// An account that differs, if the system's own log, which was read to its end, has no word of that. `made`: it was not
    /// known before.
    pub(super) fn unexplained(
        &self,
        account: &Account,
        differences: &[Judged],
        made: bool,
    ) -> Option<Unexplained> {
        let changed = differences.iter().any(|one| one.difference.class != Class::Shared);
        let read = self.told.read.whole && self.before.is_some();
        let (account, parts) = (account.external_id.clone(), self.parts(differences, made));
        let unexplained = read && changed && !self.told.others.knows(&account, &parts);
        unexplained.then_some(Unexplained { account, parts, at: self.began })
    }

    /// Who made a difference, if the system's own log says so.
    pub(super) fn by(&self, account: &Account, difference: &Judged, made: bool) -> Option<Explained> {
        self.told.others.of(&account.external_id, &[self.part(&difference.difference, made)])
    }

    /// What of an account differs.
    pub(super) fn parts(&self, differences: &[Judged], made: bool) -> Vec<Part> {
        differences.iter().map(|one| self.part(&one.difference, made)).collect()
    }

    fn part(&self, difference: &Difference, made: bool) -> Part {
        match &difference.aspect {
            Aspect::Account => Part { made, ..Part::of(AccessClass::PrimaryAccount) },
            Aspect::Use | Aspect::Attribute(_) => Part::of(AccessClass::PrimaryAccount),
            Aspect::Entitlement(name) => {
                let known = self.catalogue.entitlements.get(name);
                let class = known.map_or(AccessClass::DirectGroups, |known| known.class);
                let group = known.filter(|_| class == AccessClass::DirectGroups);
                Part { group: group.and_then(|known| known.external_id.clone()), ..Part::of(class) }
            }
        }
    }
}
