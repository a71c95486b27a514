//! A browser that a test drives: Chromium, by the WebDriver protocol (W3C), through Debian's `chromedriver`.
//!
//! What is looked for is waited for by the driver itself (its implicit wait), so that no test sleeps.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use serde_json::{Value, json};

/// How long the driver waits for something to be there, milliseconds.
const PATIENCE: u64 = 20_000;
/// The member that names an element (WebDriver §11).
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A browser with a window of its own, as nobody.
pub struct Browser {
    driver: Child,
    session: String,
    http: reqwest::Client,
    runtime: tokio::runtime::Runtime,
}

impl Browser {
    /// Starts one.
    pub fn start() -> Self {
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("`chromedriver` is missing: run `./test`");
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines().map_while(Result::ok);
        let port = lines
            .find_map(|line| {
                Some(line.split_once("successfully on port ")?.1.trim_end_matches('.').to_owned())
            })
            .expect("the driver says where it listens");
        std::thread::spawn(move || lines.for_each(drop));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(90)).build().unwrap();
        let mut browser = Self { driver, session: format!("http://127.0.0.1:{port}/session"), http, runtime };
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--hide-scrollbars",
            "--force-color-profile=srgb",
        ];
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": { "args": arguments },
            "goog:loggingPrefs": { "browser": "ALL" },
            "timeouts": { "implicit": PATIENCE },
        }}});
        let made = browser.send("", &wanted);
        browser.session = format!("{}/{}", browser.session, made["sessionId"].as_str().unwrap());
        browser
    }

    #[track_caller]
    fn send(&self, path: &str, body: &Value) -> Value {
        let asked = self.ask(self.http.post(format!("{}{path}", self.session)).json_body(body));
        // Not in a closure: whoever asked is named.
        match asked {
            Ok(value) => value,
            Err(error) => panic!("{path}: {error}"),
        }
    }

    #[track_caller]
    fn read(&self, path: &str) -> Value {
        match self.ask(self.http.get(format!("{}{path}", self.session))) {
            Ok(value) => value,
            Err(error) => panic!("{path}: {error}"),
        }
    }

    fn ask(&self, request: reqwest::RequestBuilder) -> Result<Value, String> {
        let bytes = self
            .runtime
            .block_on(async { request.send().await?.bytes().await })
            .map_err(|e| e.to_string())?;
        let mut answer: Value = serde_json::from_slice(&bytes).map_err(|e| e.to_string())?;
        match answer["value"].take() {
            error if error["error"].is_string() => Err(format!("{}: {}", error["error"], error["message"])),
            value => Ok(value),
        }
    }

    /// Goes to an address.
    #[track_caller]
    pub fn open(&self, url: &str) {
        self.send("/url", &json!({ "url": url }));
    }

    /// Where it is.
    #[track_caller]
    pub fn url(&self) -> String {
        self.read("/url").as_str().unwrap().to_owned()
    }

    #[track_caller]
    fn find(&self, using: &str, value: &str) -> String {
        let found = self.send("/element", &json!({ "using": using, "value": value }));
        found[ELEMENT].as_str().unwrap().to_owned()
    }

    /// Waits until the page has an element with this text in it, and not more than that text around it.
    #[track_caller]
    pub fn see(&self, text: &str) {
        let path = format!("//body//*[not(self::script)][contains(normalize-space(.), {})]", quoted(text));
        let found = self.http.post(format!("{}/element", self.session));
        if let Err(error) = self.ask(found.json_body(&json!({ "using": "xpath", "value": path }))) {
            panic!("`{text}` is not on {}: {error}\n{}\n{:?}", self.url(), self.text(), self.complaints());
        }
    }

    /// What the page says now.
    #[track_caller]
    pub fn text(&self) -> String {
        self.run("return document.body.innerText").as_str().unwrap().to_owned()
    }

    /// Goes where the first link that the selector finds leads. Not by a click: the page may be read again meanwhile.
    #[track_caller]
    pub fn follow(&self, selector: &str) {
        self.find("css selector", selector);
        let script = format!("return document.querySelector({}).href", json!(selector));
        self.open(self.run(&script).as_str().unwrap());
    }

    /// Clicks on the link or button that says so.
    #[track_caller]
    pub fn press(&self, words: &str) {
        let path = format!(
            "//*[self::a or self::button or self::summary][contains(normalize-space(.), {})]",
            quoted(words)
        );
        let element = self.find("xpath", &path);
        self.send(&format!("/element/{element}/click"), &json!({}));
    }

    /// Types into a field.
    #[track_caller]
    pub fn fill(&self, selector: &str, text: &str) {
        let element = self.find("css selector", selector);
        self.send(&format!("/element/{element}/value"), &json!({ "text": text }));
    }

    /// Runs a script in the page; what it gives back.
    #[track_caller]
    pub fn run(&self, script: &str) -> Value {
        self.send("/execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// Runs a script whose last argument takes what it gives back.
    #[track_caller]
    pub fn run_async(&self, script: &str) -> Value {
        self.send("/execute/async", &json!({ "script": script, "args": [] }))
    }

    /// Gives it an authenticator of its own that verifies who is there (Web Authentication §11).
    #[track_caller]
    pub fn authenticator(&self) -> String {
        let wanted = json!({ "protocol": "ctap2", "transport": "internal", "hasResidentKey": true,
            "hasUserVerification": true, "isUserConsenting": true, "isUserVerified": true });
        self.send("/webauthn/authenticator", &wanted).as_str().unwrap().to_owned()
    }

    /// Whether the authenticator makes sure who is there.
    #[track_caller]
    pub fn verifies(&self, authenticator: &str, sure: bool) {
        self.send(&format!("/webauthn/authenticator/{authenticator}/uv"), &json!({ "isUserVerified": sure }));
    }

    /// The passkeys in the authenticator, with their keys.
    #[track_caller]
    pub fn passkeys(&self, authenticator: &str) -> Vec<Value> {
        let found = self.read(&format!("/webauthn/authenticator/{authenticator}/credentials"));
        found.as_array().unwrap().clone()
    }

    /// Puts a passkey into the authenticator.
    #[track_caller]
    pub fn put_passkey(&self, authenticator: &str, passkey: &Value) {
        self.send(&format!("/webauthn/authenticator/{authenticator}/credential"), passkey);
    }

    /// Takes all passkeys out of the authenticator.
    pub fn take_passkeys(&self, authenticator: &str) {
        let path = format!("{}/webauthn/authenticator/{authenticator}/credentials", self.session);
        let _ = self.ask(self.http.delete(path));
    }

    /// Makes the window so wide, and as high as the page at most.
    pub fn size(&self, width: u32, height: u32) {
        // The device's own measures, so that a phone is a phone and no narrow window with a smallest width.
        self.send(
            "/goog/cdp/execute",
            &json!({ "cmd": "Emulation.setDeviceMetricsOverride", "params": {
                "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600,
            }}),
        );
    }

    /// How wide the page is, and how wide the window.
    pub fn widths(&self) -> (i64, i64) {
        let wide =
            |what: &str| self.run(&format!("return document.documentElement.{what}")).as_i64().unwrap();
        (wide("scrollWidth"), wide("clientWidth"))
    }

    /// Takes a picture of the whole page.
    pub fn picture(&self, file: &Path, width: u32) {
        self.size(width, 900);
        let height = self.run("return document.documentElement.scrollHeight").as_u64().unwrap();
        self.size(width, u32::try_from(height.clamp(700, 4_000)).unwrap());
        let text = self.read("/screenshot");
        let png = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, text.as_str().unwrap());
        std::fs::write(file, png.unwrap()).unwrap();
    }

    /// What the browser complained of since it was asked last: errors of scripts, and what a policy kept from loading.
    pub fn complaints(&self) -> Vec<String> {
        let log = self.send("/se/log", &json!({ "type": "browser" }));
        let lines = log.as_array().unwrap().iter().filter(|line| line["level"] == "SEVERE");
        lines.map(|line| line["message"].as_str().unwrap().to_owned()).collect()
    }

    /// Forgets who it is.
    pub fn forget(&self) {
        let _ = self.ask(self.http.delete(format!("{}/cookie", self.session)));
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The driver ends its browser; it may be gone already.
        let _ = self.ask(self.http.delete(&self.session));
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

/// A text in an XPath expression.
fn quoted(text: &str) -> String {
    if text.contains('"') { format!("'{text}'") } else { format!("\"{text}\"") }
}

trait JsonBody {
    fn json_body(self, body: &Value) -> Self;
}

impl JsonBody for reqwest::RequestBuilder {
    fn json_body(self, body: &Value) -> Self {
        self.header("content-type", "application/json").body(body.to_string())
    }
}
