//! Trust policies of roles: whether one names a user, and what it is without that user.
//!
//! Only principals of statements that allow are looked at, and only by the user's own ARN: a policy that
//! trusts everybody or the whole account names nobody.

use serde_json::{Value, json};

/// Whether the policy lets the user with this ARN in by name.
pub(super) fn names(document: &Value, arn: &str) -> bool {
    statements(document).iter().any(|statement| {
        statement["Effect"] == "Allow"
            && match &statement["Principal"]["AWS"] {
                Value::String(one) => one == arn,
                Value::Array(many) => many.iter().any(|one| one == arn),
                _ => false,
            }
    })
}

/// The policy without that user. A statement that was for nobody else is left out; where none is left, the
/// policy turns everybody away, because a role must have one.
pub(super) fn without(document: &Value, arn: &str) -> Value {
    let mut kept = Vec::new();
    for mut statement in statements(document) {
        let allows = statement["Effect"] == "Allow";
        let principal = statement.get_mut("Principal").and_then(Value::as_object_mut).filter(|_| allows);
        if let Some(principal) = principal {
            let gone = match principal.get_mut("AWS") {
                Some(Value::String(one)) => one == arn,
                Some(Value::Array(many)) => {
                    let before = many.len();
                    many.retain(|one| one != arn);
                    many.is_empty() && before > 0
                }
                _ => false,
            };
            if gone {
                principal.remove("AWS");
            }
            if gone && principal.is_empty() {
                continue;
            }
        }
        kept.push(statement);
    }
    if kept.is_empty() {
        kept.push(json!({
            "Sid": "BailiwickNobody", "Effect": "Deny", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole",
        }));
    }
    let mut document = document.clone();
    if let Some(policy) = document.as_object_mut() {
        policy.insert("Statement".into(), kept.into());
    }
    document
}

/// The statements, of which one may stand without brackets.
fn statements(document: &Value) -> Vec<Value> {
    match &document["Statement"] {
        Value::Array(many) => many.clone(),
        Value::Object(_) => vec![document["Statement"].clone()],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANN: &str = "arn:aws:iam::1:user/ann";

    #[test]
    fn only_who_is_named_is_found_and_taken_out() {
        let allow =
            |principal: Value| json!({"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"});
        let policy = |statement: Value| json!({"Version": "2012-10-17", "Statement": statement});
        let nobody = json!([{
            "Sid": "BailiwickNobody", "Effect": "Deny", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole",
        }]);
        let bo = json!({"AWS": "arn:aws:iam::1:user/bo"});
        for (statement, named, left) in [
            (json!([allow(json!({"AWS": ANN}))]), true, nobody.clone()),
            (allow(json!({"AWS": [ANN]})), true, nobody),
            (
                json!([allow(json!({"AWS": [ANN, "arn:aws:iam::1:user/bo"]}))]),
                true,
                json!([allow(json!({"AWS": ["arn:aws:iam::1:user/bo"]}))]),
            ),
            (json!([allow(json!({"AWS": ANN})), allow(bo.clone())]), true, json!([allow(bo.clone())])),
            (
                json!([allow(json!({"AWS": ANN, "Service": "ec2.amazonaws.com"}))]),
                true,
                json!([allow(json!({"Service": "ec2.amazonaws.com"}))]),
            ),
            (
                json!([allow(json!("*")), {"Effect": "Allow", "NotPrincipal": {"AWS": ANN}}, allow(json!({"AWS": ANN}))]),
                true,
                json!([allow(json!("*")), {"Effect": "Allow", "NotPrincipal": {"AWS": ANN}}]),
            ),
            (json!([allow(json!("*"))]), false, json!([allow(json!("*"))])),
            (
                json!([allow(json!({"AWS": "arn:aws:iam::1:root"}))]),
                false,
                json!([allow(json!({"AWS": "arn:aws:iam::1:root"}))]),
            ),
            (
                json!([allow(json!({"AWS": "arn:aws:iam::1:user/ann2"}))]),
                false,
                json!([allow(json!({"AWS": "arn:aws:iam::1:user/ann2"}))]),
            ),
            (
                json!([{"Effect": "Deny", "Principal": {"AWS": ANN}, "Action": "*"}]),
                false,
                json!([{"Effect": "Deny", "Principal": {"AWS": ANN}, "Action": "*"}]),
            ),
        ] {
            let document = policy(statement);
            assert_eq!(names(&document, ANN), named, "{document}");
            if named {
                let after = without(&document, ANN);
                assert_eq!(after, policy(left), "{document}");
                assert!(!names(&after, ANN));
            }
        }
        assert!(!names(&json!("x"), ANN) && !names(&json!({"Statement": ["x"]}), ANN));
    }
}
