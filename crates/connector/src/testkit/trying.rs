//! What is promised of trying a credential.

use super::{Bench, Tested, Verdict, ensure, unexpected};
use crate::{
    Entry, Issued,
    seal::{Credential, Secret},
};

pub(super) async fn tried_tells(bench: &Bench<'_>) -> Tested {
    let classes = bench.connector.capability().tries.clone();
    let Some(account) = bench.ids.accounts.first().filter(|_| !classes.is_empty()) else {
        return Ok(Verdict::NotApplicable("it declares no credential that it can try"));
    };
    for class in classes {
        let attempt = async |issued: &Issued| {
            let tried = bench.connector.attempt(&bench.line, issued).await;
            tried.map_err(unexpected("trying"))
        };
        let secret = Secret::new(format!("Kit-{}-7", bench.key()));
        let issued = bench.connector.issue(&bench.line, account, class, secret).await;
        let issued = issued.map_err(unexpected("issuing"))?;
        ensure(issued.class == class, || format!("{class} was asked for, and {} given", issued.class))?;
        bench.subject.settle().await;
        ensure(attempt(&issued).await? == Entry::Accepted, || format!("a good {class} was turned away"))?;
        let made_up = Issued {
            credential: Credential {
                scheme: issued.credential.scheme.clone(),
                secret: Secret::new(*b"made-up-by-the-kit"),
            },
            ..issued
        };
        ensure(attempt(&made_up).await? == Entry::Rejected, || format!("a made-up {class} was let in"))?;
    }
    Ok(Verdict::Holds)
}
