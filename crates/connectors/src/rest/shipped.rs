//! The descriptions that come with the hub.

/// Name and text of each, by name.
const ALL: [(&str, &str); 6] = [
    ("github-org", include_str!("descriptions/github-org.toml")),
    ("gitlab-group", include_str!("descriptions/gitlab-group.toml")),
    ("grafana", include_str!("descriptions/grafana.toml")),
    ("jupyterhub", include_str!("descriptions/jupyterhub.toml")),
    ("keycloak", include_str!("descriptions/keycloak.toml")),
    ("keystone", include_str!("descriptions/keystone.toml")),
];

/// Their names.
pub const NAMES: [&str; ALL.len()] = {
    let mut names = [""; ALL.len()];
    let mut at = 0;
    while at < names.len() {
        names[at] = ALL[at].0;
        at += 1;
    }
    names
};

/// The text of the one with this name.
pub fn text(name: &str) -> Option<&'static str> {
    ALL.into_iter().find(|(known, _)| *known == name).map(|(_, text)| text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rest::Description;

    #[test]
    fn each_is_valid_bears_its_name_and_says_where_it_is_documented() {
        for name in NAMES {
            let description = Description::read(text(name).unwrap());
            let description = description.unwrap_or_else(|faults| panic!("{name}: {faults:#?}"));
            assert_eq!(description.name, name);
            assert!(description.docs.starts_with("https://") && !description.notes.is_empty(), "{name}");
        }
        assert_eq!(text("none"), None);
    }
}
