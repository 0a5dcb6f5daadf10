//! Reads PostgreSQL's answers: which statement each of them ends, and what is to be done with its bytes.

use std::time::Instant;

use super::Connection;
use crate::line::heard::{Heard, Hearing};
use crate::line::loss::IDLE;
use crate::line::turnstile::{AnsweredStatement, LetGo, Passage, Ticket};
use crate::protocol::answers::Answer;
use crate::protocol::framing::Unreadable;

impl Connection {
    pub(super) fn read_answers(&self, hearing: &mut Hearing, bytes: &[u8]) -> Heard {
        let Hearing { answers, commits, sqlstate } = hearing;
        let (mut at, mut heard) = (0, Heard::default());
        let mut tape = self.tape.as_ref().map(|running| (running.tape.lock(), Instant::now()));
        while !self.is_unreadable() {
            let owed = self.owed.lock().front().map(|owed| (owed.is_byte, owed.inserts_orders));
            let (is_byte, inserts_orders) = owed.unwrap_or_default();
            let answer = match answers.next(bytes, &mut at, is_byte) {
                Ok(Some(answer)) => answer,
                Ok(None) => break,
                Err(Unreadable) => {
                    drop(tape.take());
                    self.give_up("it is not PostgreSQL's protocol");
                    break;
                }
            };
            if let Some((tape, now)) = &mut tape {
                tape.note_answer(&answer, *now);
            }
            heard.are_lost |=
                commits.tells_of_purchase(&answer, inserts_orders) && self.shared.losses.take_one();
            match answer {
                Answer::Failed(failure) => *sqlstate = Some(failure.sqlstate),
                Answer::Ready(_) | Answer::Byte(b'N') => {
                    let (owed, error) = (self.owed.lock().pop_front(), sqlstate.take());
                    let Some(owed) = owed else { continue };
                    if let (Some(ticket), Answer::Ready(status)) = (owed.ticket, answer) {
                        // Its answer comes when it was carried out.
                        let is_prepared = owed.only_prepares && error.is_none();
                        if owed.only_prepares {
                            self.note_prepared(is_prepared.then_some(status));
                        }
                        if !is_prepared {
                            heard.are_lost |= ticket == Ticket::LoseAnswer;
                            self.tell_answered(status, error);
                        }
                    }
                    heard.gates.extend(owed.gate);
                }
                Answer::Byte(_) => {
                    drop(tape.take());
                    self.give_up("it is encrypted");
                }
                _ => {}
            }
        }
        heard
    }

    /// PostgreSQL has prepared the statement that was let pass. `None`: nothing more comes of it.
    fn note_prepared(&self, status: Option<u8>) {
        let mut let_go = self.let_go.lock();
        *let_go = let_go.take().filter(|_| status.is_some()).map(|it| LetGo { status, ..it });
    }

    pub(super) fn tell_answered(&self, status: u8, error: Option<String>) {
        let (connection, is_in_transaction) = (self.id, status != IDLE);
        let answered = AnsweredStatement { connection, is_in_transaction, error };
        self.shared.turnstile.tell(Passage::Answered(answered));
    }
}
