//! Signing in by a provider: a real one, and one that does whatever a provider must not.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
};

use aws_lc_rs::{
    digest::{SHA256, digest},
    signature::{Ed25519KeyPair, KeyPair as _},
};
use axum::{
    Router,
    extract::State,
    http::HeaderMap,
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as B64};
use reqwest::{StatusCode, Url, header};
use serde_json::{Value, json};

use super::visitor::Visitor;
use crate::world::{World, tool};

const CLIENT: &str = "hub";
const SECRET: &str = "s:cret/1";

/// What a provider does to the tokens that it gives.
type Spoil = fn(&mut Value, &mut Value);

#[derive(Clone)]
struct Idp(Arc<Inner>);

struct Inner {
    issuer: String,
    does: Mutex<Does>,
    /// The codes that were given and not used: what was asked with them.
    codes: Mutex<BTreeMap<String, BTreeMap<String, String>>>,
}

struct Does {
    /// Which key signs, and which are published.
    key: u8,
    published: Vec<u8>,
    spoil: Spoil,
    /// What stands in the place of the answer to a code.
    instead: Option<fn() -> Response>,
}

fn pair(seed: u8) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap()
}

impl Idp {
    fn start() -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let does = Does { key: 1, published: vec![1], spoil: |_, _| {}, instead: None };
        let idp = Self(Arc::new(Inner { issuer, does: Mutex::new(does), codes: Mutex::default() }));
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(metadata))
            .route("/keys", get(keys))
            .route("/token", post(token))
            .with_state(idp.clone());
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                axum::serve(tokio::net::TcpListener::from_std(listener).unwrap(), router).await.unwrap();
            });
        });
        idp
    }

    /// A hub whose operators sign in by it, and `noor`, whom it means by `u-1`.
    fn hub(&self) -> World {
        let mut world = World::empty();
        world.run(&["init", "data", "--operator", "ada", "--origin", "bailiwick.test/log"]).well();
        world.write("secret", SECRET);
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(world.path("secret"), mode).unwrap();
        world.start_hub_with(
            "data",
            &[
                "--issuer",
                &self.0.issuer,
                "--client-id",
                CLIENT,
                "--client-secret-file",
                "secret",
                "--provider-name",
                "Corp",
            ],
            &[],
        );
        let add = ["operator", "add", "noor", "--role", "operator", "--to", "noor.toml", "--subject"];
        world.run(&[&add[..], &[&self.0.issuer, "u-1"]].concat()).well();
        world
    }

    fn does(&self, change: impl FnOnce(&mut Does)) {
        change(&mut self.0.does.lock().unwrap());
    }

    /// What a person does there: they sign in, and are sent back with a code.
    fn code(&self, to: &str) -> String {
        let asked: BTreeMap<String, String> = Url::parse(to).unwrap().query_pairs().into_owned().collect();
        assert_eq!(asked["response_type"], "code");
        assert_eq!(asked["code_challenge_method"], "S256");
        assert_eq!(asked["client_id"], CLIENT);
        let mut codes = self.0.codes.lock().unwrap();
        let code = format!("code-{}-{}", codes.len(), &asked["state"][..8]);
        codes.insert(code.clone(), asked);
        code
    }
}

async fn metadata(State(idp): State<Idp>) -> Response {
    let issuer = &idp.0.issuer;
    axum::Json(json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "jwks_uri": format!("{issuer}/keys"),
        "authorization_response_iss_parameter_supported": true,
    }))
    .into_response()
}

async fn keys(State(idp): State<Idp>) -> Response {
    let published = idp.0.does.lock().unwrap().published.clone();
    let key = |seed: &u8| {
        let x = B64.encode(pair(*seed).public_key().as_ref());
        json!({ "kty": "OKP", "crv": "Ed25519", "x": x, "kid": format!("k{seed}"), "use": "sig" })
    };
    axum::Json(json!({ "keys": published.iter().map(key).collect::<Vec<_>>() })).into_response()
}

/// Gives a token for a code, once, to who knows the secret and the verifier (RFC 6749 §4.1.3, RFC 7636 §4.6).
async fn token(State(idp): State<Idp>, headers: HeaderMap, body: String) -> Response {
    let sent: BTreeMap<String, String> = serde_urlencoded::from_str(&body).unwrap();
    let no = |error: &str| (StatusCode::BAD_REQUEST, axum::Json(json!({ "error": error }))).into_response();
    let basic = base64::engine::general_purpose::STANDARD.encode("hub:s%3Acret%2F1");
    if headers.get("authorization").is_none_or(|value| value.to_str().unwrap() != format!("Basic {basic}")) {
        return no("invalid_client");
    }
    let Some(asked) = idp.0.codes.lock().unwrap().remove(&sent["code"]) else { return no("invalid_grant") };
    let challenge = B64.encode(digest(&SHA256, sent["code_verifier"].as_bytes()).as_ref());
    if challenge != asked["code_challenge"] || sent["redirect_uri"] != asked["redirect_uri"] {
        return no("invalid_grant");
    }
    let does = idp.0.does.lock().unwrap();
    if let Some(instead) = does.instead {
        return instead();
    }
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let mut header = json!({ "alg": "EdDSA", "kid": format!("k{}", does.key) });
    let mut claims = json!({ "iss": idp.0.issuer, "sub": "u-1", "aud": CLIENT, "iat": now, "exp": now + 300,
        "nonce": asked["nonce"], "email": "noor@corp.test" });
    (does.spoil)(&mut header, &mut claims);
    let part = |value: &Value| B64.encode(value.to_string());
    let text = format!("{}.{}", part(&header), part(&claims));
    let signature = match header["alg"].as_str() {
        Some("none") => String::new(),
        _ => B64.encode(pair(does.key).sign(text.as_bytes())),
    };
    axum::Json(
        json!({ "access_token": "a", "token_type": "Bearer", "id_token": format!("{text}.{signature}") }),
    )
    .into_response()
}

/// Begins in a browser; where the provider is.
fn begin(visitor: &mut Visitor, next: &str) -> String {
    let (status, headers, page) = visitor.get(&format!("/sign-in/provider?next={next}"));
    assert_eq!(status, StatusCode::SEE_OTHER, "{page}");
    let set = headers[header::SET_COOKIE].to_str().unwrap();
    assert!(set.contains("HttpOnly") && set.contains("SameSite=Lax"), "{set}");
    visitor.keep(&headers);
    headers[header::LOCATION].to_str().unwrap().to_owned()
}

fn state(to: &str) -> String {
    let url = Url::parse(to).unwrap();
    url.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned()
}

fn back(visitor: &mut Visitor, pairs: &[(&str, &str)]) -> (StatusCode, String) {
    let query = serde_urlencoded::to_string(pairs).unwrap();
    let (status, headers, page) = visitor.get(&format!("/sign-in/callback?{query}"));
    visitor.keep(&headers);
    (status, page)
}

/// The whole way; what came of it.
fn try_in(idp: &Idp, world: &World) -> (Visitor, StatusCode, String) {
    let mut visitor = Visitor::of(&world.url());
    let to = begin(&mut visitor, "/cases");
    let code = idp.code(&to);
    let (status, page) =
        back(&mut visitor, &[("code", &code), ("state", &state(&to)), ("iss", &idp.0.issuer)]);
    (visitor, status, page)
}

#[test]
fn a_provider_says_who_somebody_is_and_the_hub_what_they_may() {
    let idp = Idp::start();
    let world = idp.hub();
    let nobody = Visitor::of(&world.url());
    assert!(nobody.get("/sign-in").2.contains("Sign in with Corp"));
    let (mut noor, status, page) = try_in(&idp, &world);
    assert_eq!(status, StatusCode::OK, "{page}");
    // The browser goes on from a page of this site, or the cookie would not go along.
    assert!(page.contains(r#"content="0; url=/cases""#), "{page}");
    assert!(noor.cookie.starts_with("bailiwick=bws_") && !noor.cookie.contains("attempt"), "{}", noor.cookie);
    noor.is_in();
    assert!(noor.get("/").2.contains("noor"));
    let token = noor.token.clone();
    let sent = noor.post("/policies/policies/x.cedar", &format!("token={token}&text=x"));
    assert_eq!(noor.send(sent).0, StatusCode::FORBIDDEN, "what they may is said here");
    // Their session ends with them, and nobody is let in by the provider's word any more.
    world.run(&["operator", "revoke", "noor"]).well();
    assert_eq!(noor.get("/").0, StatusCode::SEE_OTHER);
    let (_, status, page) = try_in(&idp, &world);
    assert!(status == StatusCode::FORBIDDEN && page.contains("provider-unknown"), "{status}: {page}");
}

#[test]
fn what_a_provider_must_not_do_signs_nobody_in() {
    let idp = Idp::start();
    let world = idp.hub();
    let spoils: [(&str, Spoil, u16, &str); 12] = [
        ("another attempt", |_, claims| claims["nonce"] = json!("n"), 401, "id-token-nonce"),
        (
            "no attempt",
            |_, claims| drop(claims.as_object_mut().unwrap().remove("nonce")),
            401,
            "id-token-nonce",
        ),
        ("another client", |_, claims| claims["aud"] = json!("other"), 401, "id-token-audience"),
        ("several clients", |_, claims| claims["aud"] = json!([CLIENT, "other"]), 401, "id-token-audience"),
        ("another issuer", |_, claims| claims["iss"] = json!("https://evil.example"), 401, "id-token-issuer"),
        ("expired", |_, claims| claims["exp"] = json!(1_700_000_000), 401, "id-token-time"),
        ("of tomorrow", |_, claims| claims["iat"] = json!(4_000_000_000_i64), 401, "id-token-time"),
        ("not signed", |header, _| header["alg"] = json!("none"), 401, "id-token-algorithm"),
        ("signed with a word", |header, _| header["alg"] = json!("HS256"), 401, "id-token-algorithm"),
        ("another key's name", |header, _| header["kid"] = json!("k9"), 401, "id-token-key"),
        ("somebody else", |_, claims| claims["sub"] = json!("u-2"), 403, "provider-unknown"),
        ("by mail alone", |_, claims| claims["sub"] = json!("noor@corp.test"), 403, "provider-unknown"),
    ];
    // Of those who are turned away so many are looked at in a minute, so each has a hub's patience of its own.
    let (mut world, mut tries) = (world, 0);
    for (what, spoil, expect, code) in spoils {
        if tries == 9 {
            (world, tries) = (idp.hub(), 0);
        }
        tries += 1;
        idp.does(|does| does.spoil = spoil);
        let (visitor, status, page) = try_in(&idp, &world);
        assert_eq!(status.as_u16(), expect, "{what}: {page}");
        assert!(page.contains(code), "{what}: {page}");
        assert!(!visitor.cookie.contains("bws_"), "{what}");
    }
    idp.does(|does| does.spoil = |_, _| {});
    let world = idp.hub();
    // Keys may change: a new one is looked for once; one that is not published is none.
    idp.does(|does| does.key = 2);
    let (_, status, page) = try_in(&idp, &world);
    assert!(status == StatusCode::UNAUTHORIZED && page.contains("id-token-key"), "{page}");
    idp.does(|does| (does.key, does.published) = (1, vec![1]));
    assert_eq!(try_in(&idp, &world).1, StatusCode::OK);
    // What is no answer, too long an answer, or one from elsewhere.
    type Answering = fn() -> Response;
    let answers: [(Answering, u16, &str); 4] = [
        (|| "not json".into_response(), 401, "provider-refused"),
        (
            || axum::Json(json!({ "error": "invalid_grant<script>" })).into_response(),
            401,
            "invalid_grantscript",
        ),
        (|| Redirect::temporary("http://127.0.0.1:1/").into_response(), 401, "provider-refused"),
        (|| "x".repeat(300_000).into_response(), 502, "provider-unreachable"),
    ];
    for (instead, expect, code) in answers {
        idp.does(|does| does.instead = Some(instead));
        let (_, status, page) = try_in(&idp, &world);
        assert!(
            status.as_u16() == expect && page.contains(code) && !page.contains("<script>a"),
            "{status}: {page}"
        );
    }
}

#[test]
fn an_answer_of_the_provider_counts_once_and_in_the_browser_that_began() {
    let idp = Idp::start();
    let world = idp.hub();
    let iss = idp.0.issuer.clone();
    let refused = |visitor: &mut Visitor, pairs: &[(&str, &str)], what: &str| {
        let (status, page) = back(visitor, pairs);
        assert!(status == StatusCode::UNAUTHORIZED, "{what}: {status}: {page}");
        assert!(!visitor.cookie.contains("bws_"), "{what}");
    };
    // An attacker's answer in a victim's browser, which began nothing, or something else (login CSRF).
    let (mut attacker, mut victim) = (Visitor::of(&world.url()), Visitor::of(&world.url()));
    let to = begin(&mut attacker, "/");
    let (code, theirs) = (idp.code(&to), state(&to));
    refused(&mut victim, &[("code", &code), ("state", &theirs), ("iss", &iss)], "nothing was begun");
    let to = begin(&mut victim, "/");
    refused(&mut victim, &[("code", &code), ("state", &theirs), ("iss", &iss)], "something else was begun");
    refused(&mut victim, &[("code", &code), ("state", &state(&to)), ("iss", &iss)], "and that is over then");
    // A code that belongs to another attempt: the verifier is another one.
    let to = begin(&mut victim, "/");
    refused(&mut victim, &[("code", &code), ("state", &state(&to)), ("iss", &iss)], "another's code");
    // Another provider answers, or one that does not say who it is although it always does (mix-up).
    let to = begin(&mut victim, "/");
    let code = idp.code(&to);
    refused(
        &mut victim,
        &[("code", &code), ("state", &state(&to)), ("iss", "https://evil.example")],
        "mixed up",
    );
    let to = begin(&mut victim, "/");
    let code = idp.code(&to);
    refused(&mut victim, &[("code", &code), ("state", &state(&to))], "nameless");

    // The right one works once: neither the code nor the attempt comes again.
    let mut noor = Visitor::of(&world.url());
    let to = begin(&mut noor, "//evil.example/");
    let (code, kept) = (idp.code(&to), noor.cookie.clone());
    let good = [("code", code.as_str()), ("state", &state(&to)), ("iss", &iss)];
    let (status, page) = back(&mut noor, &good);
    assert_eq!(status, StatusCode::OK, "{page}");
    assert!(
        page.contains(r#"content="0; url=/""#) && !page.contains("evil"),
        "nobody is sent elsewhere: {page}"
    );
    noor.is_in();
    let mut again = Visitor::of(&world.url());
    again.cookie = kept.clone();
    refused(&mut again, &good, "the code again");
    again.cookie = kept;
    let second = idp.code(&to);
    refused(&mut again, &[("code", &second), ("state", &state(&to)), ("iss", &iss)], "the attempt again");
    // A cookie that was changed, and one that somebody made.
    let mut other = Visitor::of(&world.url());
    let to = begin(&mut other, "/");
    let code = idp.code(&to);
    other.cookie = other.cookie.replace("bwd_", "bwd_0");
    refused(&mut other, &[("code", &code), ("state", &state(&to)), ("iss", &iss)], "a cookie of one's own");
    // The code stands in no log of the hub and in no page.
    assert!(!page.contains(&code));
}

#[test]
fn a_provider_that_is_not_there_is_said_and_keeps_nobody_out() {
    let world = World::with_hub_that(&["--issuer", "http://127.0.0.1:1", "--client-id", CLIENT]);
    let mut visitor = Visitor::of(&world.url());
    let (status, _, page) = visitor.get("/sign-in/provider");
    assert!(status == StatusCode::BAD_GATEWAY && page.contains("provider-unreachable"), "{page}");
    visitor.sign_in(&world);
    let bad = World::empty();
    bad.run(&["init", "data"]).well();
    let serve = ["serve", "--data", "data", "--listen", "127.0.0.1:0"];
    let check = |args: &[&str], code: &str| {
        bad.run(&[&serve[..], args].concat()).refused(2, code, "");
    };
    check(&["--issuer", "http://idp.example", "--client-id", "hub"], "provider-settings");
    check(&["--issuer", "https://idp.example"], "provider-settings");
    check(&["--url", "http://hub.example"], "url-unusable");
    check(&["--url", "https://10.0.0.1"], "url-unusable");
}

/// OpenBao, a server of its own in the memory of a process that ends with it; it is a provider too.
struct Bao {
    process: Child,
    address: String,
    visitor: Visitor,
}

impl Drop for Bao {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

const ROOT: &str = "root-of-the-test";

impl Bao {
    fn start(home: &std::path::Path) -> Self {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut process = Command::new(tool("bao"))
            .args(["server", "-dev", "-dev-no-store-token", "-log-level=error"])
            .arg(format!("-dev-listen-address=127.0.0.1:{port}"))
            .arg(format!("-dev-root-token-id={ROOT}"))
            .current_dir(home)
            .env("HOME", home)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines().map_while(Result::ok);
        assert!(lines.any(|line| line.starts_with("Root Token:")), "OpenBao did not come up");
        std::thread::spawn(move || lines.for_each(drop));
        let address = format!("http://127.0.0.1:{port}");
        Self { process, visitor: Visitor::of(&address), address }
    }

    fn call(&self, token: &str, method: reqwest::Method, path: &str, body: &Value) -> Value {
        let request = self.visitor.http.request(method, format!("{}/v1/{path}", self.address));
        let request = request.header("x-vault-token", token).body(body.to_string());
        let (status, _, text) = self.visitor.send(request);
        assert!(status.is_success(), "{path}: {status}: {text}");
        serde_json::from_str(&text).unwrap_or_default()
    }

    fn put(&self, path: &str, body: Value) -> Value {
        self.call(ROOT, reqwest::Method::POST, path, &body)
    }

    fn read(&self, path: &str) -> Value {
        self.call(ROOT, reqwest::Method::GET, path, &Value::Null)
    }
}

#[test]
fn openbao_signs_an_operator_in() {
    let home = tempfile::tempdir().unwrap();
    let bao = Bao::start(home.path());
    bao.put("sys/auth/userpass", json!({ "type": "userpass" }));
    bao.put("auth/userpass/users/noor", json!({ "password": "pw" }));
    let login = bao.call("", reqwest::Method::POST, "auth/userpass/login/noor", &json!({ "password": "pw" }));
    let (theirs, entity) =
        (login["auth"]["client_token"].as_str().unwrap(), login["auth"]["entity_id"].as_str().unwrap());
    bao.put("sys/policies/acl/sign-in", json!({
        "policy": "path \"identity/oidc/provider/default/authorize\" { capabilities = [\"read\", \"update\"] }" }));
    bao.put("auth/userpass/users/noor", json!({ "password": "pw", "token_policies": ["sign-in"] }));
    let login = bao.call("", reqwest::Method::POST, "auth/userpass/login/noor", &json!({ "password": "pw" }));
    let theirs = login["auth"]["client_token"].as_str().unwrap_or(theirs);
    bao.put(
        "identity/oidc/client/hub",
        json!({ "redirect_uris": ["http://localhost:1/"], "assignments": ["allow_all"] }),
    );
    let client = bao.read("identity/oidc/client/hub");
    let (id, secret) = (&client["data"]["client_id"], &client["data"]["client_secret"]);

    let mut world = World::empty();
    world.run(&["init", "data", "--operator", "ada", "--origin", "bailiwick.test/log"]).well();
    world.write("secret", secret.as_str().unwrap());
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(world.path("secret"), mode).unwrap();
    let issuer = format!("{}/v1/identity/oidc/provider/default", bao.address);
    let args = ["--issuer", &issuer, "--client-id", id.as_str().unwrap(), "--client-secret-file", "secret"];
    world.start_hub_with("data", &args, &[]);
    let callback = format!("{}/sign-in/callback", super::by_name(&world));
    bao.put("identity/oidc/client/hub", json!({ "redirect_uris": [callback], "assignments": ["allow_all"] }));
    let add =
        ["operator", "add", "noor", "--role", "operator", "--to", "noor.toml", "--subject", &issuer, entity];
    world.run(&add).well();

    let mut visitor = Visitor::of(&world.url());
    let to = begin(&mut visitor, "/plans");
    let query = Url::parse(&to).unwrap().query().unwrap().to_owned();
    let path = format!("identity/oidc/provider/default/authorize?{query}");
    let given = bao.call(theirs, reqwest::Method::GET, &path, &Value::Null);
    let (status, page) = back(
        &mut visitor,
        &[("code", given["code"].as_str().unwrap()), ("state", given["state"].as_str().unwrap())],
    );
    assert_eq!(status, StatusCode::OK, "{page}");
    visitor.is_in();
    assert!(visitor.get("/signed-in").2.contains("by the provider"));
    world.run(&["evidence", "check"]).well();
}
