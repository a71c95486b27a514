//! Every page, wide and narrow: nothing is cut off, nothing is complained of. With `BAILIWICK_PICTURES=DIR` a picture of
//! each goes there.

use super::{browser::Browser, sign_in, wanted};
use crate::world::World;

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
        ("19-policies", "/policies"),
        ("20-evidence", "/evidence"),
        ("22-search", "/search?q=an"),
        ("24-signed-in", "/signed-in"),
        ("23-nothing", "/plans/pln_00000000000000000000000000"),
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
        ("18-feed-held", "/feeds?state=held", "td a"),
    ] {
        browser.open(&format!("{hub}{list}"));
        browser.follow(link);
        look(&browser, name);
    }
    browser.run("document.cookie = 'theme=dark; path=/'");
    for (name, path) in
        [("30-dark-home", "/"), ("31-dark-integration", "/integrations/hr"), ("32-dark-cases", "/cases")]
    {
        browser.open(&format!("{hub}{path}"));
        look(&browser, name);
    }
}

fn look(browser: &Browser, name: &str) {
    for width in [1440, 390] {
        browser.size(width, 900);
        let (page, window) = browser.widths();
        if let Some(dir) = wanted() {
            browser.picture(&dir.join(format!("{name}-{width}.png")), width);
        }
        assert!(page <= window, "`{name}` is {page} wide where {window} fit");
    }
    browser.size(1440, 900);
    let complaints: Vec<String> =
        browser.complaints().into_iter().filter(|text| !text.contains("status of 404")).collect();
    assert!(complaints.is_empty(), "{name}: {complaints:?}");
}
