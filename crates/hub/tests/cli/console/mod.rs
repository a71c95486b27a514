//! The console in a real browser, as an administrator uses it.

mod asking;
mod attacks;
mod browser;
mod looking;
mod passkeys;
mod pictures;
mod proposing;
mod provider;
mod rights;
mod shown;
#[path = "../../../../core/src/passkey/soft.rs"]
mod soft;
mod terminating;
mod tokens;
mod visitor;
mod weight;
mod work;

use std::path::Path;

use self::browser::Browser;
use crate::world::World;

/// Signs in by a link of the command line.
#[track_caller]
fn sign_in(world: &World, browser: &Browser) {
    let link = world.run(&["sign-in", "--json"]).well().json();
    browser.open(link["link"].as_str().unwrap());
    browser.see("What needs you today");
}

/// The hub as browsers know it where passkeys work: by a name.
fn by_name(world: &World) -> String {
    world.url().replace("127.0.0.1", "localhost")
}

/// Signs in by a link of a profile, at the address where passkeys work.
#[track_caller]
fn sign_in_as(world: &World, browser: &Browser, profile: &str) {
    let link = world.run(&["--profile", profile, "sign-in", "--json"]).well().json();
    browser.open(&link["link"].as_str().unwrap().replace("127.0.0.1", "localhost"));
    browser.see("What needs you today");
}

/// Where pictures go, if they are wanted.
#[allow(clippy::disallowed_methods, reason = "whoever wants pictures says so outside of the test")]
fn wanted() -> Option<std::path::PathBuf> {
    let dir = std::env::var_os("BAILIWICK_PICTURES")?;
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(dir);
    std::fs::create_dir_all(&dir).unwrap();
    Some(dir)
}
