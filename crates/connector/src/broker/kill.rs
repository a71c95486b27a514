//! The last line of an integration: two declared calls, with the credential that they end and try.
//!
//! A connector never gets one. It sends nothing but the call that ends the credential and the call that tries
//! it, each exactly as it is declared, and only with a [`KillPermit`]: the integration has ended, or another credential
//! has taken the place of this one, or it is a drill, and then nothing ends the integration's own credential.

use bailiwick_core::{
    id::Entropy,
    integration::{Integration, Purpose},
    kill::{HOLE, KillPermit, LastCall},
    scope::Operation,
};
use bytes::Bytes;
use zeroize::Zeroizing;

use super::{
    Answer, Broker, Call, Destination, Line,
    destination::{encode, query},
};
use crate::{
    ConnectorError, Effect, ErrorKind, Result,
    seal::{Credential, SealContext, Sealed},
};

/// Ends and tries one credential at the provider of an integration.
pub struct KillLine {
    line: Line,
    purpose: Purpose,
    permit: KillPermit,
}

impl Broker {
    /// The last line of an integration, for the credential that was kept with this purpose. Nothing is sent yet.
    pub fn kill_line(
        &self,
        integration: &Integration,
        purpose: Purpose,
        sealed: Option<&Sealed>,
        permit: KillPermit,
    ) -> KillLine {
        KillLine { line: Line::new(self.inner.clone(), integration, purpose, sealed), purpose, permit }
    }

    /// Whether two sealed credentials are one secret. What does not open is like nothing.
    pub fn same_secret(
        &self,
        one: (&Integration, Purpose, &Sealed),
        other: (&Integration, Purpose, &Sealed),
    ) -> bool {
        let open = |(integration, purpose, sealed): (&Integration, Purpose, &Sealed)| {
            let context = SealContext::of(&self.inner.tenant, integration, purpose).ok()?;
            self.inner.key.unseal(&context, sealed).ok()
        };
        match (open(one), open(other)) {
            (Some(one), Some(other)) => one.secret.same(&other.secret),
            (_, _) => false,
        }
    }

    /// Seals a credential anew for the purpose that it has once its integration has ended: it opens for
    /// [`kill_line`](Self::kill_line) and for nothing else.
    pub fn reseal(
        &self,
        integration: &Integration,
        purpose: Purpose,
        sealed: &Sealed,
        entropy: &dyn Entropy,
    ) -> Result<Sealed> {
        let from = SealContext::of(&self.inner.tenant, integration, purpose)?;
        let opened = self.inner.key.unseal(&from, sealed).map_err(|error| {
            let message = format!(
                "the {} credential of `{}` cannot be opened: {error}",
                purpose.as_str(),
                integration.name
            );
            ConnectorError::none(ErrorKind::NoCredential, message)
        })?;
        let context = SealContext::of(&self.inner.tenant, integration, purpose.last())?;
        Ok(self.inner.key.seal(&context, &opened, entropy))
    }
}

impl KillLine {
    /// Ends the credential that was kept. A lost answer is `Unknown`: only trying tells.
    pub async fn revoke(&self) -> Result<Answer> {
        if self.permit.rehearsal() || !self.purpose.is_last() {
            let message =
                format!("nothing ends a credential of `{}` that is in use", self.line.integration().name);
            return Err(ConnectorError::none(ErrorKind::OutOfScope, message));
        }
        let credential = self.kept()?;
        self.revoke_with(&credential).await
    }

    /// Tries the credential that was kept.
    pub async fn probe(&self) -> Result<Answer> {
        let credential = self.kept()?;
        self.probe_with(&credential).await
    }

    /// Ends a credential that is not the integration's: one that a drill made up or was given.
    pub async fn revoke_with(&self, credential: &Credential) -> Result<Answer> {
        let kill = self.permit.kill();
        let body = kill.body.as_deref().map(|template| filled(template, credential)).transpose()?;
        self.send(Operation::Revoke, &kill.revoke, body, credential).await
    }

    /// Tries a credential that is not the integration's.
    pub async fn probe_with(&self, credential: &Credential) -> Result<Answer> {
        self.send(Operation::Try, &self.permit.kill().probe, None, credential).await
    }

    /// A credential that is shown as the one that was kept is, with another secret.
    pub fn alike(&self, secret: crate::seal::Secret) -> Result<Credential> {
        Ok(Credential { scheme: self.kept()?.scheme, secret })
    }

    fn kept(&self) -> Result<Credential> {
        let (Destination::Web { origin, .. }, settings) = self.line.route()? else {
            return Err(self.line.not_web());
        };
        let kept = self.line.credential(settings.auth, &origin)?;
        kept.ok_or_else(|| self.line.no_credential("is none that the provider would know"))
    }

    async fn send(
        &self,
        operation: Operation,
        asked: &LastCall,
        body: Option<(&'static str, Bytes)>,
        credential: &Credential,
    ) -> Result<Answer> {
        let (Destination::Web { origin, prefix, .. }, _) = self.line.route()? else {
            return Err(self.line.not_web());
        };
        let mut call = Call::new(operation, asked.method, asked.path.clone());
        if let Some((media, body)) = body {
            call = call.header("content-type", media).body(body);
        }
        let url = format!("{origin}{prefix}{}{}", call.path, query(&call.query));
        let mut request = self.line.request(&call, &url)?;
        // The secret of a client is shown as a client's (RFC 6749 §2.3.1), not changed for a token first.
        let client = credential.client();
        let (name, value) = self.line.header(client.as_ref().unwrap_or(credential))?;
        request.headers_mut().insert(name, value);
        self.line.exchange(&call, &origin, request).await
    }
}

/// The body with the credential in it, and its media type: JSON when it is an object, else a form.
fn filled(template: &str, credential: &Credential) -> Result<(&'static str, Bytes)> {
    let cannot = || ConnectorError {
        kind: ErrorKind::NoCredential,
        effect: Effect::None,
        detail: None,
        retry_after: None,
        message: "the credential is not text and cannot stand in a body".into(),
    };
    let secret = std::str::from_utf8(credential.secret.bytes()).map_err(|_| cannot())?;
    let json = template.trim_start().starts_with('{') && !template.trim_start().starts_with(HOLE);
    // Room for all of it: a buffer that grows leaves a copy behind.
    let mut text = Zeroizing::new(String::with_capacity(6 * secret.len() + 2));
    if json {
        escape(secret, &mut text);
    } else {
        encode(secret, &mut text);
    }
    let holes = template.matches(HOLE).count();
    let mut body = Zeroizing::new(Vec::with_capacity(template.len() + holes * text.len()));
    for (n, part) in template.split(HOLE).enumerate() {
        if n > 0 {
            body.extend_from_slice(text.as_bytes());
        }
        body.extend_from_slice(part.as_bytes());
    }
    let media = if json { "application/json" } else { "application/x-www-form-urlencoded" };
    Ok((media, Bytes::from_owner(body)))
}

/// A text as it stands between the quotes of a JSON string (RFC 8259 §7).
fn escape(text: &str, out: &mut String) {
    for sign in text.chars() {
        match sign {
            '"' | '\\' => out.extend(['\\', sign]),
            control if u32::from(control) < 0x20 => {
                out.push_str(&format!("\\u{:04x}", u32::from(control)));
            }
            plain => out.push(plain),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seal::Secret;

    #[test]
    fn a_body_has_the_credential_where_the_hole_was() {
        let check = |template: &str, secret: &str, media: &str, body: &str| {
            let credential = Credential::bearer(Secret::new(secret));
            let (got, bytes) = filled(template, &credential).unwrap();
            assert_eq!((got, std::str::from_utf8(&bytes).unwrap()), (media, body));
        };
        let form = "application/x-www-form-urlencoded";
        check("token={credential}&kind=access", "a&b=c d", form, "token=a%26b%3Dc%20d&kind=access");
        check("{credential}", "abc", form, "abc");
        check(r#"{"token":"{credential}"}"#, "a\"\\b\n", "application/json", r#"{"token":"a\"\\b\u000a"}"#);
    }
}
