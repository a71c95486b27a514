//! What integrations can in effect do, and what could be done with one that was taken over.

use bailiwick_core::{
    authority::{
        Authority, Semantics,
        blast::{Blast, Part, Subject, blast},
    },
    id::IntegrationName,
    integration::{Integration, Role},
    system::{Entitlement, System},
};

use crate::{Catalogue, Engine, EngineError, Result, configure::semantics};

impl Engine {
    /// The integration as it is in force, and what it can in effect do.
    pub async fn authority(&self, name: &IntegrationName) -> Result<(Integration, Authority)> {
        let catalogue = self.catalogue(&mut *self.read().await?).await?;
        let integration = catalogue.integrations.get(name).ok_or_else(|| not_found(name.as_str()))?;
        let authority = catalogue.authority(name).cloned().unwrap_or_default();
        Ok((integration.clone(), authority))
    }

    /// What could be done with `subject`, had somebody taken it over.
    pub async fn blast(&self, subject: Subject) -> Result<Blast> {
        let catalogue = self.catalogue(&mut *self.read().await?).await?;
        let concerned = |integration: &&Integration| match &subject {
            Subject::Integration(name) | Subject::Credential(name, _) => integration.name == *name,
            Subject::Vendor(vendor) => {
                integration.register.vendor.trim().to_lowercase() == vendor.trim().to_lowercase()
            }
        };
        let concerned: Vec<&Integration> = catalogue.integrations.values().filter(concerned).collect();
        if concerned.is_empty() {
            return Err(match &subject {
                Subject::Integration(name) | Subject::Credential(name, _) => not_found(name.as_str()),
                Subject::Vendor(vendor) => {
                    EngineError::NotFound { kind: "integration of the vendor", name: vendor.clone() }
                }
            });
        }
        let known = concerned.into_iter().map(|integration| known(&catalogue, integration));
        let known: Vec<Known<'_>> = known.collect();
        let parts: Vec<Part<'_>> = known
            .iter()
            .map(|known| Part {
                integration: known.integration,
                authority: &known.authority,
                semantics: &known.semantics,
                classes: known.system.map(|system| &system.classes),
            })
            .collect();
        let entitlements: Vec<Entitlement> = catalogue.entitlements.values().cloned().collect();
        Ok(blast(subject, &parts, &entitlements))
    }
}

struct Known<'a> {
    integration: &'a Integration,
    authority: Authority,
    semantics: Semantics,
    system: Option<&'a System>,
}

fn known<'a>(catalogue: &'a Catalogue, integration: &'a Integration) -> Known<'a> {
    let system = match &integration.role {
        Role::Target { system } | Role::Log { system } | Role::Partner { system: Some(system) } => {
            catalogue.systems.get(system)
        }
        Role::Source { .. } | Role::Partner { system: None } => None,
    };
    Known {
        system,
        integration,
        authority: catalogue.authority(&integration.name).cloned().unwrap_or_default(),
        semantics: catalogue.capability(&integration.name).map(semantics).unwrap_or_default(),
    }
}

fn not_found(name: &str) -> EngineError {
    EngineError::NotFound { kind: "integration", name: name.to_owned() }
}
