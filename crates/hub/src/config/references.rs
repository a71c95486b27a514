//! Checks that every name which is used is declared.

use std::collections::{BTreeMap, BTreeSet};

use bailiwick_core::{
    authority::Touch,
    id::{EntitlementName, ResourceTypeName, SourceName, SystemName},
    resource::ENTITLEMENT,
    system::{Entitlement, System},
};

use super::{
    error::{Code, Report, Spot},
    fields::Located,
    integration::Draft,
    suggest::nearest,
};

/// What is declared. A thing that is `None` is declared, and something of it is wrong.
pub(super) struct Declared<'d, 't> {
    /// The integrations.
    pub drafts: &'d [Draft<'t>],
    /// The systems.
    pub systems: &'d BTreeMap<SystemName, Option<System>>,
    /// The entitlements.
    pub entitlements: &'d BTreeMap<EntitlementName, Option<Entitlement>>,
    /// Persons that are named besides owners.
    pub people: &'d [Located<'t, String>],
}

impl<'d, 't> Declared<'d, 't> {
    /// Checks everything: what integrations name, the attributes that account templates use, and what
    /// automations touch.
    pub fn check(&self, uses: &[Located<'_, String>], touches: &[Located<'_, Touch>], report: &mut Report) {
        let sources = self.sources(report);
        self.served(report);
        self.people(&sources, report);
        let attributes = self.attributes();
        let account = self.of_accounts();
        for used in uses {
            attribute(&used.value, used.spot, &attributes, report);
        }
        for draft in self.drafts {
            let named = &draft.named;
            for used in &named.population {
                attribute(&used.value, used.spot, &attributes, report);
            }
            let either =
                attributes.as_ref().zip(account.as_ref()).map(|(a, b)| a.union(b).copied().collect());
            for limit in &named.attributes {
                attribute(&limit.value, limit.spot, &either, report);
            }
            for entitlement in &named.entitlements {
                self.entitlement(&entitlement.value, entitlement.spot, report);
            }
        }
        for touch in touches.iter().chain(self.drafts.iter().flat_map(|draft| &draft.named.acts)) {
            self.touch(touch, &attributes, report);
        }
    }

    /// Checks that there is what the glass gives.
    pub fn given(&self, gives: &[Located<'_, EntitlementName>], report: &mut Report) {
        for named in gives {
            self.entitlement(&named.value, named.spot, report);
        }
    }

    /// Checks that there are the sources in which subjects are found, and the kinds of resources that integrations ask
    /// about.
    pub fn asked<T>(
        &self,
        sources: &[Located<'_, SourceName>],
        resources: &BTreeMap<ResourceTypeName, T>,
        report: &mut Report,
    ) {
        let known = || self.drafts.iter().filter_map(|draft| draft.source.as_ref()).map(|s| s.value.as_str());
        for source in sources.iter().filter(|source| !known().any(|name| name == source.value.as_str())) {
            let message = format!("there is no source `{}`", source.value);
            report.add_near(Code::Dangling, source.spot, message, source.value.as_str(), known());
        }
        let names = || resources.keys().map(ResourceTypeName::as_str).chain([ENTITLEMENT]);
        for act in self.drafts.iter().flat_map(|draft| &draft.named.acts) {
            if let Touch::Decide(kind) | Touch::Search(kind) = &act.value
                && !names().any(|name| name == kind.as_str())
            {
                let message = format!("there is no resource `{kind}`");
                report.add_near(Code::Dangling, act.spot, message, kind.as_str(), names());
            }
        }
    }

    fn touch(&self, touch: &Located<'_, Touch>, attributes: &Option<BTreeSet<&str>>, report: &mut Report) {
        match &touch.value {
            // Kinds of resources are looked at with all of them.
            Touch::Identity | Touch::Signal | Touch::Decide(_) | Touch::Search(_) => {}
            Touch::Attribute(name) => attribute(name, touch.spot, attributes, report),
            Touch::Entitlement(name) => self.entitlement(name, touch.spot, report),
            Touch::Account(system) | Touch::Credential(system) => self.system(system, touch.spot, report),
            Touch::Object(name) => self.system(&name.system(), touch.spot, report),
        }
    }

    fn system(&self, system: &SystemName, spot: Spot<'_>, report: &mut Report) {
        if !self.systems.contains_key(system) {
            let names = self.systems.keys().map(SystemName::as_str);
            let message = format!("there is no system `{system}`");
            report.add_near(Code::Dangling, spot, message, system.as_str(), names);
        }
    }

    fn entitlement(&self, name: &EntitlementName, spot: Spot<'_>, report: &mut Report) {
        if !self.entitlements.contains_key(name) {
            let names = self.entitlements.keys().map(EntitlementName::as_str);
            let message = format!("there is no entitlement `{name}`");
            report.add_near(Code::Dangling, spot, message, name.as_str(), names);
        }
    }

    /// The sources, each with one integration.
    fn sources(&self, report: &mut Report) -> BTreeMap<&'d SourceName, Spot<'t>> {
        let mut sources: BTreeMap<&SourceName, Spot<'_>> = BTreeMap::new();
        for source in self.drafts.iter().filter_map(|d| d.source.as_ref()) {
            if let Some(first) = sources.insert(&source.value, source.spot) {
                let message =
                    format!("the source `{}` has an integration at {} already", source.value, first.place());
                report.add(Code::Duplicate, source.spot, message);
            }
        }
        sources
    }

    /// Each system is served by one integration, and its log is read by one; partners may be many.
    fn served(&self, report: &mut Report) {
        let (mut served, mut logged) = (BTreeMap::new(), BTreeMap::new());
        for draft in self.drafts {
            for (of, what, known) in
                [(&draft.system, "the system", &mut served), (&draft.log, "the log of", &mut logged)]
            {
                let Some(system) = of else { continue };
                if let Some(first) = known.insert(&system.value, system.spot) {
                    let message =
                        format!("{what} `{}` has an integration at {} already", system.value, first.place());
                    report.add(Code::Duplicate, system.spot, message);
                }
            }
        }
        for system in self.drafts.iter().flat_map(|d| d.system.iter().chain(&d.log).chain(&d.grant)) {
            self.system(&system.value, system.spot, report);
        }
    }

    fn people(&self, sources: &BTreeMap<&SourceName, Spot<'_>>, report: &mut Report) {
        for person in self.drafts.iter().flat_map(|d| &d.people).chain(self.people) {
            let names = sources.keys().map(|name| name.as_str());
            match person.value.split_once('/') {
                Some((source, key)) if !key.is_empty() && !key.contains(char::is_whitespace) => {
                    if !sources.keys().any(|name| name.as_str() == source) {
                        let message = format!("there is no source `{source}`");
                        report.add_near(Code::Dangling, person.spot, message, source, names);
                    }
                }
                _ => {
                    let message = format!(
                        "`{}` does not name a person; write `source/key`, such as `hr/1002`",
                        person.value
                    );
                    report.add(Code::Value, person.spot, message);
                }
            }
        }
    }

    /// The attributes that people have: what sources promise, and what integrations write at the door. A name that
    /// is nearly a promised one is taken for a slip. `None` when no promise could be read.
    fn attributes(&self) -> Option<BTreeSet<&'d str>> {
        let mut known = self.promised()?;
        for touch in self.drafts.iter().flat_map(|draft| &draft.named.acts) {
            if let Touch::Attribute(name) = &touch.value
                && nearest(name, known.iter().copied()).is_none()
            {
                known.insert(name);
            }
        }
        Some(known)
    }

    /// The attributes that sources promise; `None` when no promise could be read.
    fn promised(&self) -> Option<BTreeSet<&'d str>> {
        let promised: Vec<&BTreeSet<String>> =
            self.drafts.iter().filter_map(|d| d.promised.as_ref()).collect();
        let mut names: BTreeSet<&str> =
            promised.iter().flat_map(|names| names.iter().map(String::as_str)).collect();
        names.insert("source_key");
        (!promised.is_empty()).then_some(names)
    }

    /// What accounts on the systems have; `None` when some system could not be read.
    fn of_accounts(&self) -> Option<BTreeSet<&'d str>> {
        let systems: Vec<&System> = self.systems.values().map(Option::as_ref).collect::<Option<_>>()?;
        Some(systems.into_iter().flat_map(|system| system.account.keys().map(String::as_str)).collect())
    }
}

fn attribute(name: &str, spot: Spot<'_>, known: &Option<BTreeSet<&str>>, report: &mut Report) {
    if let Some(known) = known
        && !known.contains(name)
    {
        let message = format!("no source promises the attribute `{name}`");
        report.add_near(Code::Dangling, spot, message, name, known.iter().copied());
    }
}
