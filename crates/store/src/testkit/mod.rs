//! The conformance suite: what the seam promises, one test for each sentence, for any store.
//!
//! A store passes when [`conformance!`](crate::conformance) passes on it. The suite goes through the
//! seam only; what needs a look behind it is tested beside each store.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

pub mod gathered;
pub mod image;
pub mod log;
pub mod order;
pub mod parts;
pub mod postgres;
pub mod queue;
pub mod rows;

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use bailiwick_core::{
    id::{Entropy, Tenant},
    record::{Actor, Record, RecordKind},
    time::Timestamp,
};

use crate::{KeyKind, KeyValue, Row, Store, Table, Tx, Update, Write};

/// An empty store to be tested.
pub struct Bed {
    /// The store.
    pub store: Arc<dyn Store>,
    /// Whether all transactions share one connection, so that a reader makes writers wait.
    pub one_connection: bool,
    /// Whether a call is done when it is first polled, so that none can be abandoned.
    pub at_once: bool,
}

/// Makes one test of each sentence. The argument is an expression that gives a [`Bed`] and something
/// to hold on to meanwhile; it may await.
#[macro_export]
macro_rules! conformance {
    ($bed:expr) => {
        $crate::conformance! { @each $bed;
            rows:
                a_row_reads_back_as_it_was_written
                a_taken_id_is_a_conflict
                a_taken_unique_key_is_a_conflict
                a_replacement_names_the_revision_it_replaces
                a_removal_names_the_revision_it_removes
                a_conflict_in_a_batch_names_the_row_and_leaves_nothing
                the_writes_of_one_row_keep_their_order
                a_unique_key_passes_from_row_to_row_in_one_call
                any_writes_agree_with_a_model
                a_select_finds_what_its_filters_say
                what_no_caller_should_ask_for_is_refused
                a_dropped_transaction_leaves_nothing
                an_abandoned_call_ends_the_transaction
                a_reader_sees_one_state
                a_reader_cannot_write
                outlines_are_the_key_columns_of_rows_in_their_order
                stamps_are_the_ids_and_revisions_of_all_rows
                of_two_writers_of_one_revision_one_wins
                tenants_are_apart_and_are_listed;
            order:
                a_select_is_in_order_of_bytes_and_comes_in_pages
                the_first_by_a_column_come_in_its_order;
            queue:
                a_lane_gives_one_item_at_a_time_in_order
                urgent_lanes_go_first_and_then_older_ones
                of_very_many_the_urgent_go_first_too
                what_is_not_urgent_enough_is_left
                nothing_is_leased_before_it_is_due
                a_lease_that_ran_out_is_due_again_with_a_greater_fence
                an_item_put_off_comes_back_first_in_its_lane
                what_was_put_off_is_woken_and_what_is_held_or_due_is_not_touched
                many_are_finished_all_or_none
                many_are_put_off_all_or_none
                queues_of_tenants_are_apart
                work_of_a_dropped_transaction_is_not_there
                workers_never_share_an_item
                adding_and_finishing_at_once_loses_no_lane
                a_lock_has_one_holder_until_it_runs_out
                what_a_holder_gives_up_is_free_and_its_fences_are_refused
                of_many_who_want_a_lock_one_gets_it;
            gathered:
                what_is_gathered_looks_as_if_it_were_done_at_once
                what_is_gathered_fails_as_a_whole;
            parts:
                parts_come_one_after_the_other_and_none_is_empty
                parts_show_what_is_there_when_they_are_read;
            log:
                an_entry_binds_the_rows_it_explains
                indices_are_contiguous_in_order_of_writing
                news_are_what_has_no_index_and_what_got_one
                two_sequencers_give_every_index_once
                entries_are_found_by_whom_they_are_about
                personal_values_stay_beside_the_log_until_erased
                what_is_too_long_for_a_record_is_beside_the_log
                a_record_is_written_once
                the_end_of_the_log_moves_by_compare_and_swap
                a_store_written_through_the_seam_does_not_deviate;
        }
    };
    (@each $bed:expr; $($module:ident: $($sentence:ident)+;)+) => {$($(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $sentence() {
            let (bed, _held) = $bed;
            $crate::testkit::$module::$sentence(&bed).await;
        }
    )+)+};
}

/// Entropy from a seed (splitmix64).
#[derive(Debug)]
pub struct Seeded(AtomicU64);

impl Seeded {
    /// The same seed gives the same bytes.
    pub fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    /// A number below `end`.
    pub fn below(&self, end: u64) -> u64 {
        self.number() % end
    }

    fn number(&self) -> u64 {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut z = self.0.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

impl Entropy for Seeded {
    fn fill(&self, out: &mut [u8]) {
        for chunk in out.chunks_mut(8) {
            chunk.copy_from_slice(&self.number().to_be_bytes()[..chunk.len()]);
        }
    }
}

/// A record that says nothing in particular.
pub fn record(entropy: &dyn Entropy) -> Record {
    let at = Timestamp::from_millisecond(1_780_000_000_000).unwrap();
    Record::new(RecordKind::Observed, at, Actor::Hub("test".to_owned()), entropy)
}

/// An update with a record that says nothing in particular.
pub fn update(writes: Vec<Write>, entropy: &dyn Entropy) -> Update {
    Update { record: record(entropy), writes }
}

/// A row whose texts are made from its id, so that no two rows share a unique key.
pub fn row(table: Table, id: &str, revision: i64, entropy: &dyn Entropy) -> Row {
    let key = |(name, kind, _): &(&str, KeyKind, bool)| match kind {
        KeyKind::Text => KeyValue::Text(format!("{name}/{id}")),
        KeyKind::Int => KeyValue::Int(revision),
    };
    Row {
        id: id.to_owned(),
        revision,
        salt: entropy.salt(),
        keys: table.keys().iter().map(key).collect(),
        body: format!("{{\"id\":\"{id}\",\"revision\":{revision}}}").into_bytes(),
    }
}

/// Commits one call of write.
pub(crate) async fn write(
    bed: &Bed,
    tenant: &Tenant,
    updates: Vec<Update>,
    entropy: &dyn Entropy,
) -> crate::Result<()> {
    let mut tx = bed.store.begin().await?;
    tx.write(tenant, updates, entropy).await?;
    tx.commit().await
}

/// A transaction that writes.
pub(crate) async fn begin(bed: &Bed) -> Box<dyn Tx> {
    bed.store.begin().await.unwrap()
}

/// A transaction that reads.
pub(crate) async fn read(bed: &Bed) -> Box<dyn Tx> {
    bed.store.read().await.unwrap()
}

/// The code of the error, or `ok`.
pub(crate) fn code<T>(result: crate::Result<T>) -> &'static str {
    result.map_or_else(|error| error.code(), |_| "ok")
}
