//! No order of messages, however odd, makes the tape panic, and what it keeps is bounded.

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Event {
    Sent(Request),
    Answered(u8),
}

proptest! {
    #[test]
    fn any_order_of_messages_is_taken(events in prop::collection::vec(event(), 0..200)) {
        let archive = Arc::new(Archive::default());
        let mut tape = Tape::new(Arc::clone(&archive), "replica-1".into());

        for event in &events {
            match event {
                Event::Sent(request) => tape.note_request(request.clone(), Instant::now()),
                Event::Answered(tag) => tape.note_answer(&answer(*tag), Instant::now()),
            }
            let in_flight = tape.in_flight();
            prop_assert!(in_flight.is_none_or(|found| tape.statement_in_flight(found).is_some()));
            let _ = tape.open_transaction().map(RecordedTransaction::read);
        }
        tape.close(Instant::now());

        prop_assert!(tape.open_transaction().is_none());
        let kept = [archive.newest(1000, true), archive.newest(1000, false)].concat();
        for transaction in kept {
            let read = transaction.read();
            prop_assert!(read.outcome != Outcome::Open && read.ended_at.is_some());
        }
    }
}

#[test]
fn a_client_that_never_waits_for_answers_is_given_up() {
    let archive = Arc::new(Archive::default());
    let mut tape = Tape::new(archive, "replica-1".into());

    for _ in 0..3 * MOST_AWAITED {
        tape.note_request(execute(b"SELECT 1", true), Instant::now());
    }

    assert!(tape.awaited.is_empty() && tape.open_transaction().is_none());
}

fn event() -> impl Strategy<Value = Event> {
    let statement = prop::sample::select(vec!["BEGIN", "COMMIT", "ROLLBACK", "UPDATE orders SET id = $1"]);
    let request = (statement, 0..9_u8).prop_map(|(sql, kind)| {
        let prepared = || Arc::new(Prepared::new(sql.as_bytes(), Vec::new(), false));
        Event::Sent(match kind {
            0 => Request::Start,
            1 => Request::Prepare(prepared()),
            2 => Request::DescribeStatement(prepared()),
            3 => Request::DescribePortal(prepared()),
            4 | 5 => execute(sql.as_bytes(), kind == 4),
            6 => Request::CopyEnds,
            7 => Request::Call,
            _ => Request::Sync,
        })
    });
    let answer = prop::sample::select(b"K1tTnDCcsEFGZIT".to_vec()).prop_map(Event::Answered);
    prop_oneof![request, answer]
}

fn execute(sql: &[u8], is_simple: bool) -> Request {
    Request::Execute(Arc::new(Prepared::new(sql, Vec::new(), is_simple)), None)
}

fn answer(tag: u8) -> Answer<'static> {
    let failure =
        |ends_session| Failure { sqlstate: "40P01".to_owned(), message: String::new(), ends_session };
    match tag {
        b'K' => Answer::BackendPid(7),
        b'1' => Answer::Prepared,
        b't' => Answer::ParameterTypes(vec![23]),
        b'T' => Answer::Columns(b"\0\x01a\0"),
        b'n' => Answer::NoColumns,
        b'D' => Answer::Row(b"\0\x01\0\0\0\x01x"),
        b'C' => Answer::Complete("ROLLBACK"),
        b'c' => Answer::Complete("UPDATE 1"),
        b's' => Answer::Suspended,
        b'E' => Answer::Failed(failure(false)),
        b'F' => Answer::Failed(failure(true)),
        b'G' => Answer::WantsCopy,
        b'I' => Answer::Ready(b'I'),
        _ => Answer::Ready(b'T'),
    }
}
