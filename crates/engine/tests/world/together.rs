//! Several futures at a time, in one task.

use std::task::Poll;

/// Waits for all of them, in order.
pub async fn join_all<F: Future>(all: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut under_way: Vec<_> = all.map(Box::pin).collect();
    let mut out: Vec<Option<F::Output>> = under_way.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        let mut waits = false;
        for (future, out) in under_way.iter_mut().zip(&mut out).filter(|(_, out)| out.is_none()) {
            match future.as_mut().poll(context) {
                Poll::Ready(done) => *out = Some(done),
                Poll::Pending => waits = true,
            }
        }
        if waits { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
    out.into_iter().flatten().collect()
}
