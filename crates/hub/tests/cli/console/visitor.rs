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

    /// Opens a session with the code of a link; gives the secret that the cookie has then.
    pub fn sign_in(&mut self, world: &World) -> String {
        let link = world.run(&["sign-in", "--json"]).well().json()["link"].as_str().unwrap().to_owned();
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
