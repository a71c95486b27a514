//! The back door over HTTP: `/truth/…`, without credentials, outside what the hub knows.
//!
//! It reads the truth, tries credentials, and does what an administrator does behind the hub's back. It has no
//! protection of its own, so [`serve`](crate::serve) refuses to listen on anything but loopback.

use axum::{
    body::Body,
    http::{Method, Response, StatusCode},
};
use serde_json::{Value, json};

use crate::{
    Lab, LabError, Truth,
    reply::{Door, Reply},
};

impl Lab {
    /// Answers a request below `/truth/`.
    pub(crate) fn answer_truth(&self, method: &Method, rest: &str, body: &[u8]) -> Response<Body> {
        let path: Vec<&str> = rest.split('/').filter(|segment| !segment.is_empty()).collect();
        let reply = self.open(method, &path, body).unwrap_or_else(|error| {
            let status = match error {
                LabError::NoSystem(_) => StatusCode::NOT_FOUND,
                _ => StatusCode::BAD_REQUEST,
            };
            Reply::json(status, json!({"error": error.code(), "message": error.to_string()}))
        });
        reply.into_response(Door::Vendor)
    }

    fn open(&self, method: &Method, path: &[&str], body: &[u8]) -> Result<Reply, LabError> {
        let ok = |body: Value| Ok(Reply::json(StatusCode::OK, body));
        match (method.as_str(), path) {
            ("GET", []) => ok(json!({"systems": self.systems(), "now_ms": self.now()})),
            ("GET", [system]) => ok(json!(self.truth(system)?)),
            ("GET", [system, "ledger"]) => ok(json!(self.ledger(system)?)),
            ("GET", [system, "users", user]) => match self.true_user(system, user)? {
                Some(user) => ok(json!(user)),
                None => Ok(missing(path)),
            },
            ("GET", [system, "try", credential]) => ok(json!({"works": self.works(system, credential)?})),
            ("POST", [system, "reset"]) => {
                self.reset(system)?;
                Ok(Reply::empty(StatusCode::NO_CONTENT))
            }
            ("POST", [system, "seed"]) => {
                let seed =
                    serde_json::from_slice(body).map_err(|error| LabError::BadSeed(error.to_string()))?;
                ok(json!(self.seed(system, &seed)?))
            }
            ("PUT", [system, "behaviours"]) => {
                let behaviours: Vec<crate::Behaviour> =
                    serde_json::from_slice(body).map_err(|error| LabError::BadSeed(error.to_string()))?;
                self.behave(system, behaviours)?;
                Ok(Reply::empty(StatusCode::NO_CONTENT))
            }
            _ => Ok(missing(path)),
        }
    }

    /// The user of an id or `userName`, softly deleted or not.
    fn true_user(&self, system: &str, user: &str) -> Result<Option<crate::TrueUser>, LabError> {
        let Truth { users, .. } = self.truth(system)?;
        let wanted = user.to_lowercase();
        Ok(users.into_iter().find(|held| held.id == user || held.user_name.to_lowercase() == wanted))
    }
}

fn missing(path: &[&str]) -> Reply {
    let message = format!("`/truth/{}` does not exist", path.join("/"));
    Reply::json(StatusCode::NOT_FOUND, json!({"error": "not-found", "message": message}))
}
