//! What a prediction has found. Only what came true is reported as harm.

use std::fmt::Write;

use flash_sale_diagnosis::Reading;
use flash_sale_diagnosis::prediction::{Anomaly, Guard, Guarded, Prediction, Suspicion};
use flash_sale_explorer::Schedule;
use serde_json::{Value, json};

use crate::explore::report::{outcome_in_words, replay_command, whole_statements};
use crate::wording::counted;
use crate::wrap::wrapped;

/// How many purchases are played to confirm a prediction.
pub const BUYERS: usize = 2;
/// The longest line, in characters.
const WIDTH: usize = 98;

/// What is said of two purchases that break a rule although neither disturbs the other one.
const IN_TURN: &str = "No purchase has to come in between. A purchase on one replica, and one on the other replica after it, \
                       already break a rule.";

/// What one purchase did, what was predicted from it, and what of that came true.
pub struct PredictReport {
    /// The purchase that was alone.
    pub reading: Reading,
    /// What its buyer was answered.
    pub status: Option<u16>,
    /// What was predicted.
    pub prediction: Prediction,
    /// The suspicions that were played, and harm came of them.
    pub confirmed: Vec<Confirmed>,
    /// The purchase and one on the other replica after it, if these two broke a rule.
    pub in_turn: Option<Broken>,
    /// The arguments that say which purchases are replayed, with a space before each.
    pub arguments: String,
    /// How long it took to make the purchase, to predict, and to play, in seconds.
    pub seconds: f64,
}

/// A prediction that came true.
pub struct Confirmed {
    /// The two statements.
    pub suspicion: Suspicion,
    /// What was played.
    pub broken: Broken,
}

/// A schedule that breaks a rule.
pub struct Broken {
    /// The schedule that was played.
    pub schedule: Schedule,
    /// The schedule in columns.
    pub columns: String,
}

impl Confirmed {
    /// `None`: a purchase sent nothing. A replica that remembers an earlier sale turns a buyer away before that, so what was
    /// played is not what was predicted.
    pub fn of(suspicion: Suspicion, broken: Broken) -> Option<Self> {
        let has_sent = |actor: usize| broken.schedule.steps.iter().any(|step| step.actor == actor);
        (0..BUYERS).all(has_sent).then_some(Self { suspicion, broken })
    }
}

impl PredictReport {
    /// Whether harm was found.
    pub fn is_guilty(&self) -> bool {
        !self.confirmed.is_empty() || self.in_turn().is_some()
    }

    /// The purchase and the one after it, if they broke a rule. Where even the first buyer gets nothing, the second one adds
    /// nothing.
    fn in_turn(&self) -> Option<&Broken> {
        self.in_turn.as_ref().filter(|_| self.has_sold())
    }

    /// Whether the buyer who was alone got the copy. Otherwise the purchase shows nothing of a sale.
    pub fn has_sold(&self) -> bool {
        self.status == Some(200)
    }

    /// One JSON object.
    pub fn to_json(&self) -> Value {
        let statements = self.reading.statements.iter().map(
            |sent| json!({ "statement": sent.label, "saw_quantity": sent.quantity(), "rows": sent.rows, "error": sent.error }),
        );
        let confirmed = self.confirmed.iter().map(|confirmed| {
            let Suspicion { first, second, anomaly, given_up_by } = confirmed.suspicion;
            json!({
                "anomaly": anomaly,
                "first": first + 1,
                "second": second + 1,
                "given_up_by": given_up_by.map(|place| place + 1),
                "letters": confirmed.broken.schedule.letters(),
                "outcome": confirmed.broken.schedule.outcome,
            })
        });
        let in_turn = self.in_turn().map(
            |Broken { schedule, .. }| json!({ "letters": schedule.letters(), "outcome": schedule.outcome }),
        );
        let guarded = self.prediction.guarded.iter().map(|guarded| {
            json!({ "first": guarded.first + 1, "second": guarded.second + 1, "by": guarded.by + 1, "guard": guarded.guard })
        });
        json!({
            "guilty": self.is_guilty(),
            "answer": self.status,
            "statements": statements.collect::<Vec<_>>(),
            "predicted": self.prediction.suspicions.len(),
            "confirmed": confirmed.collect::<Vec<_>>(),
            "in_turn": in_turn,
            "guarded": guarded.collect::<Vec<_>>(),
            "seconds": self.seconds,
        })
    }

    /// The report for a person.
    pub fn text(&self) -> String {
        let mut text = self.headline();
        let answer = self.status.map_or_else(|| "no answer".to_owned(), |status| status.to_string());
        let _ = writeln!(text, "\n\nOne purchase, alone. Its buyer was answered {answer}.");
        for (index, sent) in self.reading.statements.iter().enumerate() {
            let saw =
                sent.quantity().map(|quantity| format!(": saw quantity {quantity}")).unwrap_or_default();
            let _ = writeln!(text, "{:>6}  {}{saw}", index + 1, sent.label);
        }
        let in_turn = self.in_turn().map(|broken| (IN_TURN.to_owned(), broken));
        let confirmed = self.confirmed.iter().map(|it| (self.harm(&it.suspicion), &it.broken));
        for (harm, Broken { schedule, columns }) in in_turn.into_iter().chain(confirmed) {
            let said = wrapped(&harm, WIDTH).join("\n");
            let _ = write!(text, "\n{said}\n\nPlayed in this order: {}\n{columns}", schedule.letters());
            let _ = writeln!(text, "\n{}", outcome_in_words(schedule));
            let _ = writeln!(text, "Play it again: {}", self.replay(schedule));
        }
        let _ = writeln!(text, "\n{}", wrapped(&self.rest(), WIDTH).join("\n"));
        text
    }

    /// The command that plays the schedule again. The letters stand for whole statements.
    fn replay(&self, schedule: &Schedule) -> String {
        let arguments = format!("{}{}", self.arguments, whole_statements(&schedule.steps));
        replay_command(&arguments, &schedule.letters())
    }

    fn headline(&self) -> String {
        let seconds = self.seconds;
        if self.is_guilty() {
            return format!("GUILTY: one purchase shows how two can break a rule ({seconds:.2} s)");
        }
        if !self.has_sold() {
            return format!("NOTHING PREDICTED: a buyer who is alone gets no copy ({seconds:.2} s)");
        }
        format!("NOTHING TO FEAR from this purchase ({seconds:.2} s)")
    }

    fn harm(&self, suspicion: &Suspicion) -> String {
        let (first, second) = (suspicion.first + 1, suspicion.second + 1);
        let label = |index: usize| self.reading.statements[index].label.as_str();
        let (reads, writes) = (label(suspicion.first), label(suspicion.second));
        if let Some(place) = suspicion.given_up_by {
            let (step, ends) = (place + 1, label(place));
            return format!(
                "Step {step} ({ends}) ends a lock, and the transaction goes on. From then on another purchase can do both \
                 step {first} ({reads}) and step {second} ({writes}), before this one has committed."
            );
        }
        match suspicion.anomaly {
            Anomaly::StaleCheck => format!(
                "Step {first} ({reads}) reads, and keeps nobody away until step {second} ({writes}). Another purchase can \
                 do both in between. What was read is not true any more when step {second} acts on it: check-then-act."
            ),
            Anomaly::LostUpdate => format!(
                "Step {second} ({writes}) writes a number that was computed from step {first} ({reads}). What another \
                 purchase has written in between is overwritten: a lost update."
            ),
            Anomaly::RowCount => format!(
                "Step {second} ({writes}) changes a row only while its own condition holds. In the order below it changed \
                 none, and the purchase went on as if it had: nobody looked at the row count."
            ),
        }
    }

    /// What was found beside the harm, and what nothing was shown of.
    fn rest(&self) -> String {
        let played = self.prediction.suspicions.len();
        let mut said = String::new();
        if played > self.confirmed.len() {
            let other = if self.is_guilty() { "other " } else { "" };
            let pairs = counted(played - self.confirmed.len(), &format!("{other}pair"));
            let _ = write!(
                said,
                "{pairs} of statements could have done harm. Each was played, and none came of it. "
            );
        }
        if !self.is_guilty() {
            if let Some(guarded) = self.prediction.guarded.first() {
                let _ = write!(said, "{} ", self.guard(guarded));
            }
            if played == 0 && self.prediction.guarded.is_empty() {
                said.push_str("No statement of it reads what a later one of it writes. ");
            }
        }
        said + "One purchase shows only the statements that it has sent. It shows no other branch of the code, no retry, no \
                guard within the process, and no more than two buyers. The proof is: make explore"
    }

    fn guard(&self, guarded: &Guarded) -> String {
        let (first, second, by) = (guarded.first + 1, guarded.second + 1, guarded.by + 1);
        let label = &self.reading.statements[guarded.by].label;
        let why = match guarded.guard {
            Guard::RowLock => "locks the row until the transaction ends",
            Guard::TableLock => "locks the table until the transaction ends",
            Guard::NumberLock => "locks a number",
            Guard::EarlierWrite => "has written the row, and so holds it until the transaction ends",
            Guard::Isolation => "asks for an isolation level at which one of two such purchases fails",
        };
        format!(
            "Step {by} ({label}) {why}, so no other purchase can do both step {first} and step {second} in between."
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explore::made_up::oversold_by;

    const UPDATE: &str = "UPDATE products SET quantity = quantity - 1";

    fn report(status: u16) -> PredictReport {
        PredictReport {
            reading: Reading::default(),
            status: Some(status),
            prediction: Prediction::default(),
            confirmed: Vec::new(),
            in_turn: None,
            arguments: " --strategy mine".to_owned(),
            seconds: 0.1,
        }
    }

    #[test]
    fn harm_of_purchases_that_do_not_meet_counts_only_if_the_first_one_sold() {
        let told = |status: u16| {
            let broken = Broken { schedule: oversold_by(UPDATE), columns: String::new() };
            PredictReport { in_turn: Some(broken), ..report(status) }
        };

        assert!(told(200).is_guilty() && told(200).text().contains("No purchase has to come in between."));
        assert_eq!(told(200).to_json()["in_turn"]["letters"], "AB");
        assert!(!told(400).is_guilty() && told(400).to_json()["in_turn"].is_null());
        assert!(!report(200).is_guilty());
    }

    #[test]
    fn what_is_played_confirms_only_if_both_purchases_sent_something() {
        let suspicion = Suspicion { first: 0, second: 0, anomaly: Anomaly::StaleCheck, given_up_by: None };
        let confirmed = |senders: usize| {
            let mut schedule = oversold_by(UPDATE);
            schedule.steps.truncate(senders);
            Confirmed::of(suspicion, Broken { schedule, columns: String::new() })
        };

        assert!(confirmed(2).is_some());
        assert!(confirmed(1).is_none() && confirmed(0).is_none());
    }

    #[test]
    fn a_replay_names_the_strategy_and_keeps_whole_statements_whole() {
        let report = report(200);

        for (sql, arguments) in [
            (UPDATE, ""),
            ("INSERT INTO orders SELECT id FROM products WHERE quantity > 0", " --inside never"),
        ] {
            assert_eq!(
                report.replay(&oversold_by(sql)),
                format!("make explore ARGS=\"--replay AB --strategy mine{arguments}\"")
            );
        }
    }
}
