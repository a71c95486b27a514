//! What pages link to: a style sheet, three scripts and a picture, under addresses that say their contents.

use std::sync::LazyLock;

use axum::{
    extract::Path,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use bailiwick_core::digest::Digest;

/// One file.
pub struct Asset {
    name: &'static str,
    kind: &'static str,
    body: &'static str,
}

static FILES: [Asset; 5] = [
    Asset {
        name: "console.css",
        kind: "text/css; charset=utf-8",
        body: include_str!("../../assets/console.css"),
    },
    Asset {
        name: "console.js",
        kind: "text/javascript; charset=utf-8",
        body: include_str!("../../assets/console.js"),
    },
    Asset {
        name: "verify.js",
        kind: "text/javascript; charset=utf-8",
        body: include_str!("../../assets/verify.js"),
    },
    Asset {
        name: "passkey.js",
        kind: "text/javascript; charset=utf-8",
        body: include_str!("../../assets/passkey.js"),
    },
    Asset { name: "icon.svg", kind: "image/svg+xml", body: include_str!("../../assets/icon.svg") },
];

static VERSION: LazyLock<String> = LazyLock::new(|| {
    let bodies: Vec<&[u8]> = FILES.iter().map(|file| file.body.as_bytes()).collect();
    Digest::of_parts(&bodies).to_string()[..12].to_owned()
});

/// The address of a file; another text is another address.
pub fn address(name: &str) -> String {
    format!("/assets/{}/{name}", *VERSION)
}

/// `GET /assets/{version}/{name}`: takes no session, says nothing of anybody, and never changes.
pub async fn show(Path((version, name)): Path<(String, String)>) -> Response {
    match FILES.iter().find(|file| file.name == name && version == *VERSION) {
        Some(file) => {
            let forever = "public, max-age=31536000, immutable";
            ([(header::CONTENT_TYPE, file.kind), (header::CACHE_CONTROL, forever)], file.body).into_response()
        }
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
