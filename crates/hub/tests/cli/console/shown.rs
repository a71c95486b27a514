//! Every page of the console has its picture, and is looked at by that: a new page without one is found here.

/// Each page, as the routes have it, and the name of a picture of it.
const PICTURES: [(&str, &str); 38] = [
    ("/", "01-home"),
    ("/access", "40-access"),
    ("/alignment", "42-alignment"),
    ("/api", "46-api"),
    ("/api/types/{name}", "64-api-type"),
    ("/api/{part}", "47-api-part"),
    ("/cases", "04-cases"),
    ("/cases/{case}", "05-case"),
    ("/configuration", "45-configuration"),
    ("/departures", "41-departures"),
    ("/evidence", "20-evidence"),
    ("/feeds", "17-feeds"),
    ("/feeds/{batch}", "18-feed-held"),
    ("/findings", "06-findings"),
    ("/identities", "13-identities"),
    ("/identities/{identity}", "14-identity"),
    ("/identities/{identity}/why/{system}/{entitlement}", "61-why"),
    ("/integrations", "08-integrations"),
    ("/integrations/{integration}", "09-integration"),
    ("/names", "43-names"),
    ("/names/{name}", "44-name"),
    ("/operators", "48-operators"),
    ("/plans", "02-plans"),
    ("/plans/{plan}", "03-plan"),
    ("/policies", "19-policies"),
    ("/policies/{*path}", "62-policy"),
    ("/reconciling", "65-reconciling"),
    ("/recovery", "63-recovery"),
    ("/reviews", "12-reviews"),
    ("/search", "22-search"),
    ("/sign-in", "00-sign-in"),
    ("/signed-in", "24-signed-in"),
    ("/systems", "15-systems"),
    ("/systems/{system}", "16-system"),
    ("/tasks", "07-tasks"),
    ("/tasks/{task}", "60-task"),
    ("/terminations", "58-terminations"),
    ("/terminations/{termination}", "59-termination"),
];

/// What is read and is no page: files, a stream, questions for a script, and the ways to a provider and back.
const NO_PAGE: [&str; 7] = [
    "/assets/{version}/{name}",
    "/evidence/packs/{subject}",
    "/live",
    "/sign-in/callback",
    "/sign-in/challenge",
    "/sign-in/provider",
    "/signed-in/challenge",
];

#[test]
fn every_page_has_its_picture() {
    let routes = include_str!("../../../src/console/mod.rs").lines().filter_map(|line| {
        let (route, made) = line.trim().strip_prefix(".route(\"")?.split_once('"')?;
        made.contains("get(").then_some(route)
    });
    let mut routes: Vec<&str> = routes.collect();
    let mut known: Vec<&str> = PICTURES.iter().map(|(route, _)| *route).chain(NO_PAGE).collect();
    routes.sort_unstable();
    known.sort_unstable();
    assert_eq!(routes, known, "each page has a picture");
    let tests = [include_str!("pictures.rs"), include_str!("asking.rs"), include_str!("terminating.rs")];
    for (route, picture) in PICTURES {
        let name = format!("\"{picture}\"");
        assert!(tests.iter().any(|test| test.contains(&name)), "nobody takes the picture {name} of {route}");
    }
}
