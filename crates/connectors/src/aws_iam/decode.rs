//! What IAM says: answers in XML, errors by their codes, policies as JSON inside of them.
//!
//! An answer with a document type is refused, so nothing in it can be expanded. What is missing where the
//! API promises it is an error, never an empty value.

use bailiwick_connector::{Answer, ConnectorError, Effect, ErrorKind, Result};
use bailiwick_core::time::Timestamp;
use roxmltree::{Document, Node};
use serde_json::Value;

/// An element of an answer.
#[derive(Clone, Copy)]
pub(super) struct Element<'d>(Node<'d, 'd>);

impl<'d> Element<'d> {
    /// The first child of this name.
    pub(super) fn child(self, name: &str) -> Option<Self> {
        self.0.children().find(|child| child.tag_name().name() == name).map(Self)
    }

    /// Its own text; empty when it has none.
    pub(super) fn value(self) -> &'d str {
        self.0.text().unwrap_or_default()
    }

    /// The text of the first child of this name.
    pub(super) fn text(self, name: &str) -> Option<&'d str> {
        self.child(name).map(Self::value)
    }

    /// The same, of a child that the API promises.
    pub(super) fn need(self, name: &str) -> Result<&'d str> {
        self.text(name)
            .filter(|text| !text.is_empty())
            .ok_or_else(|| malformed(format!("`{}` in the answer has no `{name}`", self.0.tag_name().name())))
    }

    /// The members of a list; none when there is no list of this name.
    pub(super) fn members(self, list: &str) -> impl Iterator<Item = Self> {
        let list = self.child(list).into_iter();
        list.flat_map(|list| list.0.children().filter(|c| c.tag_name().name() == "member").map(Self))
    }
}

/// A user as IAM describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct User {
    /// Stays the same when the user is renamed.
    pub(super) id: String,
    pub(super) name: String,
    pub(super) path: String,
    pub(super) arn: String,
    /// Key and value.
    pub(super) tags: Vec<(String, String)>,
}

impl User {
    /// Reads a `User` or a `UserDetail`.
    pub(super) fn read(user: Element<'_>) -> Result<Self> {
        let tag = |tag: Element<'_>| {
            Ok((tag.need("Key")?.to_owned(), tag.text("Value").unwrap_or_default().to_owned()))
        };
        Ok(Self {
            id: user.need("UserId")?.to_owned(),
            name: user.need("UserName")?.to_owned(),
            path: user.need("Path")?.to_owned(),
            arn: user.need("Arn")?.to_owned(),
            tags: user.members("Tags").map(tag).collect::<Result<_>>()?,
        })
    }

    /// The value of a tag.
    pub(super) fn tag(&self, key: &str) -> Option<&str> {
        self.tags.iter().find(|(k, _)| k == key).map(|(_, value)| value.as_str())
    }
}

/// A policy document, which AWS writes percent-encoded and others in clear; `None` when it is neither.
pub(super) fn document(text: &str) -> Option<Value> {
    if text.trim_start().starts_with('{') {
        return serde_json::from_str(text).ok();
    }
    let (mut bytes, mut rest) = (Vec::with_capacity(text.len()), text.bytes());
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                u8::try_from(digit()? << 4 | digit()?).ok()?
            }
            plain => plain,
        });
    }
    serde_json::from_slice(&bytes).ok()
}

/// Reads what a successful answer to `action` has in its result element. `writes`: an answer that cannot be
/// read still says that something was done.
pub(super) fn result<T>(
    action: &str,
    writes: bool,
    answer: &Answer,
    read: impl FnOnce(Element<'_>) -> Result<T>,
) -> Result<T> {
    // The parser's own words stay out: an answer may hold a secret.
    let unreadable = || malformed(format!("the answer to `{action}` is not the XML of this API"));
    let text = std::str::from_utf8(&answer.body).map_err(|_| unreadable());
    let read = text.and_then(|text| {
        let document = Document::parse(text).map_err(|_| unreadable())?;
        let root = Element(document.root_element());
        if root.0.tag_name().name() != format!("{action}Response") {
            return Err(unreadable());
        }
        // An action with nothing to say leaves the element out.
        read(root.child(&format!("{action}Result")).unwrap_or(root))
    });
    read.map_err(|error| if writes { ConnectorError { effect: Effect::Unknown, ..error } } else { error })
}

/// What a system says when it refuses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) code: Option<String>,
    message: String,
    request: Option<String>,
}

impl Said {
    /// Reads an error answer; an answer that is none says nothing.
    pub(super) fn of(answer: &Answer) -> Self {
        let text = String::from_utf8_lossy(&answer.body);
        let Ok(document) = Document::parse(&text) else { return Self::default() };
        let text = |name: &str| {
            let found = document.descendants().find(|node| node.tag_name().name() == name);
            found.map(|node| Element(node).value().to_owned())
        };
        Self {
            code: text("Code").filter(|code| !code.is_empty()),
            message: text("Message").unwrap_or_default(),
            request: text("RequestId"),
        }
    }

    /// Whether what is refused is the instant at which the call was signed.
    pub(super) fn skewed(&self) -> bool {
        matches!(self.code.as_deref(), Some("RequestExpired" | "RequestTimeTooSkewed"))
            || (self.code.as_deref() == Some("SignatureDoesNotMatch")
                && ["Signature expired", "Signature not yet current"]
                    .iter()
                    .any(|s| self.message.starts_with(s)))
    }

    fn kind(&self, status: u16) -> ErrorKind {
        let Some(code) = &self.code else {
            return match status {
                401 => ErrorKind::Unauthorized,
                403 => ErrorKind::Forbidden,
                429 => ErrorKind::RateLimited,
                500.. => ErrorKind::SystemFault,
                _ => ErrorKind::Malformed,
            };
        };
        match code.as_str() {
            "NoSuchEntity" => ErrorKind::NotFound,
            "EntityAlreadyExists" => ErrorKind::AlreadyExists,
            "Throttling" | "ThrottlingException" | "RequestLimitExceeded" | "TooManyRequests" => {
                ErrorKind::RateLimited
            }
            "AccessDenied" | "AccessDeniedException" | "NotAuthorized" | "OptInRequired" => {
                ErrorKind::Forbidden
            }
            "InvalidClientTokenId"
            | "SignatureDoesNotMatch"
            | "IncompleteSignature"
            | "MissingAuthenticationToken"
            | "InvalidAccessKeyId"
            | "UnrecognizedClientException"
            | "AuthFailure"
            | "ExpiredToken"
            | "RequestExpired"
            | "RequestTimeTooSkewed" => ErrorKind::Unauthorized,
            // Both pass by themselves: somebody else changes the same thing right now.
            "ConcurrentModification" | "EntityTemporarilyUnmodifiable" => ErrorKind::Stale,
            "ServiceFailure" | "ServiceUnavailable" | "InternalFailure" | "InternalError" => {
                ErrorKind::SystemFault
            }
            _ if status >= 500 => ErrorKind::SystemFault,
            _ => ErrorKind::Invalid,
        }
    }

    fn advice(&self, answer: &Answer, now: Timestamp) -> String {
        if self.skewed() {
            let theirs =
                answer.header("date").map(|date| format!(", the system's {date}")).unwrap_or_default();
            return format!("; the clock here shows {now}{theirs}: set the one that is wrong");
        }
        match self.code.as_deref() {
            Some("InvalidClientTokenId") => "; the access key is inactive, deleted or not of this account",
            Some("SignatureDoesNotMatch") => {
                "; check that the secret belongs to the access key, and the setting `region`"
            }
            Some("LimitExceeded") => "; delete what is not needed, or have the quota raised",
            _ => "",
        }
        .to_owned()
    }
}

/// An answer that is no success, as an error.
pub(super) fn refusal(action: &str, writes: bool, answer: &Answer, now: Timestamp) -> ConnectorError {
    let said = Said::of(answer);
    let kind = said.kind(answer.status);
    // A system that broke may have broken after it did what was asked.
    let unknown = writes && (answer.status >= 500 || answer.status < 400);
    let words = match &said.code {
        Some(code) => format!("`{action}` is refused: {code}: {}", said.message),
        None => format!("`{action}` is answered by {} without the error of this API", answer.status),
    };
    let advice = said.advice(answer, now);
    let request = said.request.map(|id| format!(" (request {id})")).unwrap_or_default();
    ConnectorError {
        kind,
        effect: if unknown { Effect::Unknown } else { Effect::None },
        detail: None,
        retry_after: None,
        message: format!("{words}{request}{advice}"),
    }
}

/// The system's words are not understood.
pub(super) fn malformed(message: impl Into<String>) -> ConnectorError {
    ConnectorError::none(ErrorKind::Malformed, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        let headers = vec![("date".into(), "Fri, 15 Jan 2027 09:00:00 GMT".into())];
        Answer { status, headers, body: body.to_owned().into() }
    }

    fn error(code: &str, message: &str) -> String {
        format!(
            "<ErrorResponse xmlns=\"x\"><Error><Type>Sender</Type><Code>{code}</Code>\
             <Message>{message}</Message></Error><RequestId>r1</RequestId></ErrorResponse>"
        )
    }

    #[test]
    fn a_refusal_says_what_to_do_with_it() {
        use ErrorKind::*;
        for (status, body, kind, effect) in [
            (404, error("NoSuchEntity", "m"), NotFound, Effect::None),
            (409, error("EntityAlreadyExists", "m"), AlreadyExists, Effect::None),
            (409, error("DeleteConflict", "m"), Invalid, Effect::None),
            (409, error("LimitExceeded", "m"), Invalid, Effect::None),
            (409, error("ConcurrentModification", "m"), Stale, Effect::None),
            (409, error("EntityTemporarilyUnmodifiable", "m"), Stale, Effect::None),
            (400, error("Throttling", "Rate exceeded"), RateLimited, Effect::None),
            (403, error("AccessDenied", "m"), Forbidden, Effect::None),
            (403, error("InvalidClientTokenId", "m"), Unauthorized, Effect::None),
            (403, error("SignatureDoesNotMatch", "m"), Unauthorized, Effect::None),
            (400, error("ValidationError", "m"), Invalid, Effect::None),
            (400, error("SomethingNew", "m"), Invalid, Effect::None),
            (500, error("ServiceFailure", "m"), SystemFault, Effect::Unknown),
            (503, error("SomethingNew", "m"), SystemFault, Effect::Unknown),
            (500, "<html>".into(), SystemFault, Effect::Unknown),
            (403, "<html>".into(), Forbidden, Effect::None),
            (302, String::new(), Malformed, Effect::Unknown),
            (404, "not here".into(), Malformed, Effect::None),
        ] {
            let got = refusal("CreateUser", true, &answer(status, &body), Timestamp::UNIX_EPOCH);
            assert_eq!((got.kind, got.effect), (kind, effect), "{status} {body}");
            let read = refusal("GetUser", false, &answer(status, &body), Timestamp::UNIX_EPOCH);
            assert_eq!(read.effect, Effect::None, "{status} {body}");
        }
    }

    #[test]
    fn a_clock_that_is_wrong_is_named_as_the_cause() {
        let text = error("SignatureDoesNotMatch", "Signature expired: 2026 is now earlier than 2027");
        let got = refusal("GetUser", false, &answer(403, &text), Timestamp::UNIX_EPOCH).message;
        assert!(
            got.contains("clock here shows 1970-01-01T00:00:00Z, the system's Fri, 15 Jan 2027"),
            "{got}"
        );
        let other = refusal(
            "GetUser",
            false,
            &answer(403, &error("SignatureDoesNotMatch", "no")),
            Timestamp::UNIX_EPOCH,
        );
        assert!(other.message.contains("region") && !other.message.contains("clock"), "{other}");
    }

    #[test]
    fn an_answer_that_is_not_of_this_api_is_malformed_and_unknown_after_a_write() {
        let bomb = "<!DOCTYPE a [<!ENTITY b \"c\">]><GetUserResponse><GetUserResult>&b;</GetUserResult></GetUserResponse>";
        for body in ["", "<html/>", "{}", "<GetUserResponse>", bomb, "<ListUsersResponse/>"] {
            for (writes, effect) in [(false, Effect::None), (true, Effect::Unknown)] {
                let error = result("GetUser", writes, &answer(200, body), |_| Ok(())).unwrap_err();
                assert_eq!((error.kind, error.effect), (ErrorKind::Malformed, effect), "{body}");
            }
        }
        let named = result("GetUser", false, &answer(200, "<GetUserResponse/>"), User::read).unwrap_err();
        assert!(named.message.contains("`UserId`"), "{named}");
    }

    #[test]
    fn a_user_is_read_with_every_byte() {
        let body = "<GetUserResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><GetUserResult><User>\
            <Path>/</Path><UserName>o&apos;b&amp;Action=x &#xFC;u&#x308;</UserName><UserId>AIDA1</UserId><Arn>arn:1</Arn>\
            <Tags><member><Key>k</Key><Value/></member></Tags></User></GetUserResult></GetUserResponse>";
        let user =
            result("GetUser", false, &answer(200, body), |r| User::read(r.child("User").unwrap())).unwrap();
        assert_eq!(
            (user.name.as_str(), user.tag("k"), user.tag("l")),
            ("o'b&Action=x üu\u{308}", Some(""), None)
        );
    }

    #[test]
    fn a_policy_is_read_in_clear_and_encoded() {
        let expect = Some(serde_json::json!({"a": "b c"}));
        for text in ["{\"a\":\"b c\"}", "%7B%22a%22%3A%22b%20c%22%7D"] {
            assert_eq!(document(text), expect, "{text}");
        }
        for text in ["", "%7", "%zz", "x"] {
            assert_eq!(document(text), None, "{text}");
        }
    }
}
