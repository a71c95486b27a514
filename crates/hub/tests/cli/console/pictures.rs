//! Every page, wide and narrow, light and dark: nothing is cut off, nothing is complained of, and who hears it or sees little
//! has all of it (`looks.js`). With `BAILIWICK_PICTURES=DIR` a picture of each goes there.

use super::{asking::plan_of, browser::Browser, sign_in, wanted};
use crate::{manual, world::World};

/// Gives what is wrong with a page, a line for each element.
const LOOKS: &str = include_str!("looks.js");

#[test]
fn every_page_fits_a_desk_and_a_phone_and_loads_nothing_that_is_not_ours() {
    let world = World::with_demo();
    let browser = Browser::start();
    let hub = world.url();
    browser.open(&format!("{hub}/sign-in"));
    look(&browser, "00-sign-in");
    sign_in(&world, &browser);
    look(&browser, "01-home");
    let pages = [
        ("02-plans", "/plans"),
        ("04-cases", "/cases"),
        ("06-findings", "/findings"),
        ("07-tasks", "/tasks"),
        ("08-integrations", "/integrations"),
        ("09-integration", "/integrations/chat"),
        ("10-integration-hr", "/integrations/hr"),
        ("11-integration-ended", "/integrations/crm"),
        ("12-reviews", "/reviews"),
        ("13-identities", "/identities"),
        ("15-systems", "/systems"),
        ("16-system", "/systems/chat"),
        ("17-feeds", "/feeds"),
        ("65-reconciling", "/reconciling"),
        ("19-policies", "/policies"),
        ("20-evidence", "/evidence"),
        ("22-search", "/search?q=an"),
        ("40-access", "/access"),
        ("41-departures", "/departures?state=365d"),
        ("42-alignment", "/alignment"),
        ("45-configuration", "/configuration?file=policies/birthright.cedar"),
        ("46-api", "/api"),
        ("48-operators", "/operators"),
        ("47-api-part", "/api/terminations"),
        ("24-signed-in", "/signed-in"),
        ("23-nothing", "/plans/pln_00000000000000000000000000"),
        ("61-why", "/identities/hr%2F1042/why/chat/finance"),
        ("62-policy", "/policies/policies/birthright.cedar"),
        ("63-recovery", "/recovery"),
        ("64-api-type", "/api/types/PlanView"),
    ];
    for (name, path) in pages {
        browser.open(&format!("{hub}{path}"));
        look(&browser, name);
    }
    for (name, list, link) in [
        ("03-plan", "/plans?state=done", "td a"),
        ("03-plan-waits", "/plans?state=drafted", "td a"),
        ("05-case", "/cases?state=open", "td a"),
        ("05-case-closed", "/cases?state=closed", "td a"),
        ("14-identity", "/identities?state=active", "td a"),
        ("14-identity-left", "/identities?state=left", "td a"),
        ("18-feed-held", "/feeds?state=held", "#rows td a"),
    ] {
        browser.open(&format!("{hub}{list}"));
        browser.follow(link);
        look(&browser, name);
    }
    done(&world, &browser);
    browser.run("document.cookie = 'theme=dark; path=/'");
    for (name, path) in
        [("30-dark-home", "/"), ("31-dark-integration", "/integrations/hr"), ("32-dark-cases", "/cases")]
    {
        browser.open(&format!("{hub}{path}"));
        look(&browser, name);
    }
}

#[test]
fn what_a_person_is_asked_to_do_fits_too() {
    let world = manual::badges();
    world.run(&["status", "--wait", "60"]).well();
    let browser = Browser::start();
    sign_in(&world, &browser);
    browser.open(&format!("{}/tasks?state=open", world.url()));
    browser.follow("#rows td a");
    browser.see("Is it done?");
    look(&browser, "60-task");
}

/// Pages of what was asked for, made ready and tried.
fn done(world: &World, browser: &Browser) {
    let hub = world.url();
    let asked = [
        "access",
        "ask",
        "hr/1017",
        "chat/incidents",
        "--for",
        "4h",
        "--reason",
        "the outage of today",
        "--json",
    ];
    world.run(&asked).well();
    browser.open(&format!("{hub}/identities/hr%2F1017"));
    browser.press("Ask for something");
    look(browser, "50-identity-asked");
    browser.open(&format!("{hub}/plans/{}", plan_of(world, "hr/1042", "mover")));
    browser.fill("#time", "14d");
    browser.fill("#reason", "HR moved the wrong person");
    browser.press("Ask to undo it");
    browser.see("What becomes of it");
    look(browser, "51-plan-undone");
    browser.open(&format!("{hub}/integrations/chat"));
    browser.press("Drill its end, and end nothing");
    browser.see("Its end was drilled");
    look(browser, "52-integration-drilled");
    browser.open(&format!("{hub}/systems/chat"));
    browser.press("Probe it now");
    browser.see("Probed. What was learned is below.");
    look(browser, "53-system-probed");
    browser.open(&format!("{hub}/configuration?file=policies/birthright.cedar"));
    browser.run(
        "const text = document.querySelector('#text'); text.value = text.value.replace('Finance', 'Legal')",
    );
    browser.press("What would it change?");
    browser.see("What it would do");
    look(browser, "54-configuration-seen");
    browser.press("Propose this change");
    browser.see("What waits");
    look(browser, "55-configuration-asked");
    browser.open(&format!("{hub}/configuration"));
    browser.fill("#path", "bad.toml");
    browser.fill("#text", "[system.lobby");
    browser.press("What would it change?");
    browser.see("Mistakes");
    look(browser, "56-configuration-wrong");
}

pub fn look(browser: &Browser, name: &str) {
    for width in [1440, 390] {
        browser.size(width, 900);
        let (page, window) = browser.widths();
        if let Some(dir) = wanted() {
            browser.picture(&dir.join(format!("{name}-{width}.png")), width);
        }
        assert!(page <= window, "`{name}` is {page} wide where {window} fit");
        let faults = browser.run(LOOKS);
        assert!(faults.as_array().is_some_and(Vec::is_empty), "`{name}`, {width} wide: {faults:#}");
    }
    browser.size(1440, 900);
    let complaints: Vec<String> =
        browser.complaints().into_iter().filter(|text| !text.contains("status of 404")).collect();
    assert!(complaints.is_empty(), "{name}: {complaints:?}");
}
