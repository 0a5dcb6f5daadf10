//! What a reader says before a purchase reads the stock, and what came.

use flash_sale_diagnosis::sql::{Verb, Words};

use crate::notes::quantity;
use crate::played::{Played, letter};

/// What the reader said before the last step, and what came.
pub struct GuessedRead {
    /// The letter of the purchase.
    pub letter: char,
    /// What the reader said.
    pub said: String,
    /// What came.
    pub came: String,
    /// Whether both are the same.
    pub is_right: bool,
}

/// Whether this statement reads the stock.
pub fn reads_the_stock(sql: &str) -> bool {
    let words = Words::of(sql);
    words.verb() == Verb::Select && words.has("products")
}

impl GuessedRead {
    /// What came of the guess about the last step: a number, or `waits`. `None`: the last step read no stock.
    pub fn of(played: &Played, guess: &str) -> Option<Self> {
        let last = played.steps.last().filter(|step| reads_the_stock(&step.sql))?;
        let waits = played.looks.last()?.waits.iter().any(|(actor, _)| *actor == last.actor);
        let came = if waits {
            "it waits".to_owned()
        } else {
            let read = played.seen().last()?.as_ref().and_then(quantity)?;
            format!("it reads {read}")
        };
        let said = match guess {
            "waits" => "it waits".to_owned(),
            number => format!("it reads {}", number.parse::<i64>().ok()?),
        };
        Some(Self { letter: letter(last.actor), is_right: said == came, said, came })
    }

    /// The same in a sentence or two.
    pub fn in_words(&self) -> String {
        let Self { letter, said, came, is_right } = self;
        let verdict = if *is_right { "So it is.".to_owned() } else { format!("But {came}.") };
        format!("You said of {letter}: {said}. {verdict}")
    }
}
