//! Authority in words.

use super::{Authority, Because, Effect, Path};
use crate::id::IntegrationName;

impl Effect {
    /// What it means, in words.
    pub const fn title(self) -> &'static str {
        match self {
            Self::None => "nothing follows from it",
            Self::Influences => "a person decides in between",
            Self::Executes => "it carries out what is decided",
            Self::Decides => "nobody else decides",
        }
    }
}

impl Because {
    /// What people call it.
    pub fn title(&self) -> String {
        match self {
            Self::Policy(policy) => policy.to_string(),
            Self::Automation { title, .. } => title.clone(),
            Self::Nested { through } if through.is_empty() => "seen to be in".to_owned(),
            Self::Nested { through } => format!("seen to be in, through {}", through.join(", ")),
        }
    }
}

impl Path {
    /// The way in one line: who, what it touches, by what, what is reached.
    pub fn explain(&self, integration: &IntegrationName) -> String {
        let mut words = vec![integration.to_string(), self.start.to_string()];
        words.extend(self.steps.iter().map(|(because, _)| because.title()));
        if !self.steps.is_empty() {
            words.push(self.end().to_string());
        }
        words.join(" → ")
    }
}

impl Authority {
    /// Its paths in the order in which somebody wants to read them: the largest effect first.
    pub fn by_weight(&self) -> Vec<&Path> {
        let mut paths: Vec<&Path> = self.paths.iter().collect();
        paths.sort_by_key(|path| std::cmp::Reverse(path.effect));
        paths
    }

    /// Every path as a line, such as
    /// `helpdesk → object itsm/ticket → itsm rule 12 → ad group vpn → entitlement vpn/access: nobody else decides`.
    pub fn explain(&self, integration: &IntegrationName) -> Vec<String> {
        let line = |path: &Path| format!("{}: {}", path.explain(integration), path.effect.title());
        self.by_weight().into_iter().map(line).collect()
    }
}
