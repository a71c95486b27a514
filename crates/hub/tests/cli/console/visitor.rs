//! A browser without a screen, for what a real one would not do.

use reqwest::{Client, RequestBuilder, Response, StatusCode, header, redirect::Policy};

use crate::world::World;

/// A browser without a screen: requests, and what came of them.
pub struct Visitor {
    /// Sends what it asks for.
    pub http: Client,
    runtime: tokio::runtime::Runtime,
    /// Where the hub is.
    pub hub: String,
    /// What it sends along as cookies.
    pub cookie: String,
    /// What its forms bring along.
    pub token: String,
}

impl Visitor {
    /// One that is nobody yet.
    pub fn of(hub: &str) -> Self {
        let http = Client::builder().no_proxy().redirect(Policy::none()).build().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { http, runtime, hub: hub.to_owned(), cookie: String::new(), token: String::new() }
    }

    /// What comes of a request.
    pub fn send(&self, request: RequestBuilder) -> (StatusCode, header::HeaderMap, String) {
        self.runtime.block_on(async {
            let answer: Response = request.send().await.unwrap();
            (answer.status(), answer.headers().clone(), answer.text().await.unwrap())
        })
    }

    /// A page.
    pub fn get(&self, path: &str) -> (StatusCode, header::HeaderMap, String) {
        self.send(self.http.get(format!("{}{path}", self.hub)).header(header::COOKIE, &self.cookie))
    }

    /// A form to be sent.
    pub fn post(&self, path: &str, form: &str) -> RequestBuilder {
        let request = self.http.post(format!("{}{path}", self.hub)).header(header::COOKIE, &self.cookie);
        request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded").body(form.to_owned())
    }

    /// What comes of a form of a page, filled in: the status, where it leads, and the page.
    pub fn act(&self, path: &str, filled: &[(&str, &str)]) -> (StatusCode, String, String) {
        let mut form = format!("token={}", self.token);
        for (name, value) in filled {
            let value: String = value.bytes().map(|byte| format!("%{byte:02X}")).collect();
            form.push_str(&format!("&{name}={value}"));
        }
        let (status, headers, page) = self.send(self.post(path, &form));
        let to = headers.get(header::LOCATION).map_or("", |to| to.to_str().unwrap());
        (status, to.to_owned(), page)
    }

    /// Does what a form says, and goes where it leads.
    #[track_caller]
    pub fn well(&self, path: &str, filled: &[(&str, &str)]) -> (String, String) {
        let (status, to, page) = self.act(path, filled);
        assert_eq!(status, StatusCode::SEE_OTHER, "{path}: {page}");
        let address = to.split('#').next().unwrap().to_owned();
        let (status, _, page) = self.get(&address);
        assert_eq!(status, StatusCode::OK, "{address}: {page}");
        (address, page)
    }

    /// Expects that a form is refused with this code, on a page that says so.
    #[track_caller]
    pub fn refused(&self, path: &str, filled: &[(&str, &str)], code: &str) {
        let (status, to, page) = self.act(path, filled);
        assert!(status.is_client_error() && to.is_empty(), "{path}: {status} {to}");
        assert!(page.contains(code) && page.contains("role=\"alert\""), "{path}: no `{code}` in {page}");
    }

    /// Opens a session with the code of a link; gives the secret that the cookie has then.
    pub fn sign_in(&mut self, world: &World) -> String {
        self.sign_in_as(world, "profile.toml")
    }

    /// The same for the operator of a profile.
    pub fn sign_in_as(&mut self, world: &World, profile: &str) -> String {
        let link = world.run(&["--profile", profile, "sign-in", "--json"]).well().json();
        let link = link["link"].as_str().unwrap().to_owned();
        let code = link.split_once('#').unwrap().1.to_owned();
        let (status, headers, _) = self.send(self.post("/sign-in", &format!("code={code}&next=/cases")));
        assert_eq!((status, headers[header::LOCATION].to_str().unwrap()), (StatusCode::SEE_OTHER, "/cases"));
        let set = headers[header::SET_COOKIE].to_str().unwrap();
        assert!(set.contains("HttpOnly") && set.contains("SameSite=Strict"), "{set}");
        self.cookie = set.split(';').next().unwrap().to_owned();
        self.is_in();
        self.cookie.split_once('=').unwrap().1.to_owned()
    }

    /// Reads what its forms bring along from the first page.
    #[track_caller]
    pub fn is_in(&mut self) {
        let (status, _, page) = self.get("/");
        assert_eq!(status, StatusCode::OK, "{page}");
        let (_, rest) = page.split_once(r#"name="token" value=""#).unwrap();
        self.token = rest.split('"').next().unwrap().to_owned();
    }

    /// Takes over the cookies that an answer sets, and forgets those that it takes away.
    pub fn keep(&mut self, headers: &header::HeaderMap) {
        for set in headers.get_all(header::SET_COOKIE) {
            let pair = set.to_str().unwrap().split(';').next().unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            let others = self.cookie.split("; ").filter(|one| !one.is_empty());
            let others = others.filter(|one| one.split('=').next() != Some(name));
            let mut all: Vec<String> = others.map(str::to_owned).collect();
            if !value.is_empty() {
                all.push(pair.to_owned());
            }
            self.cookie = all.join("; ");
        }
    }
}
