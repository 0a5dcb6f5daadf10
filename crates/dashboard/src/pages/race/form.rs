//! The form of a race: what it shows, and what is read from it.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

use crate::problem::Problem;
use crate::rooms::{Order, RaceOrder, StrategyChoice};

/// What the form shows.
pub struct RaceForm {
    /// The strategies, and whether each is chosen.
    pub strategies: Vec<(StrategyChoice, bool)>,
    /// The other fields.
    pub numbers: [NumberField; 4],
}

/// A field for a number.
pub struct NumberField {
    /// Its name in the form.
    pub name: &'static str,
    /// What it says.
    pub label: &'static str,
    /// What it holds.
    pub value: u32,
    /// The smallest number.
    pub least: u32,
    /// The largest number.
    pub most: u32,
}

/// The limits of the fields. They are narrower than those of `make race`: a page waits for the race.
const COPIES: RangeInclusive<u32> = 1..=10_000;
const BUYERS: RangeInclusive<u16> = 1..=2000;
const ROUNDS: RangeInclusive<u16> = 1..=20;
const WINDOW_MS: RangeInclusive<u16> = 0..=3000;
/// So many strategies are more than there are.
const MOST_STRATEGIES: usize = 50;
/// What is chosen before anybody has raced.
const FIRST_CHOICE: [&str; 3] = ["exercise", "pessimistic", "optimistic"];

impl RaceForm {
    /// The form, filled as for the last race.
    pub fn of(choices: Vec<StrategyChoice>, last: Option<&RaceOrder>) -> Self {
        let is_chosen = |name: &str| match last {
            Some(order) => order.strategies.iter().any(|chosen| chosen == name),
            None => FIRST_CHOICE.contains(&name),
        };
        let strategies = choices.into_iter().map(|choice| {
            let is_chosen = is_chosen(&choice.name);
            (choice, is_chosen)
        });
        let (copies, buyers, rounds, window_ms) =
            last.map_or((20, 100, 3, 5), |it| (it.copies, it.buyers, it.rounds, it.window_ms));
        Self {
            strategies: strategies.collect(),
            numbers: [
                field("copies", "Copies", copies, COPIES),
                field("buyers", "Buyers", buyers, BUYERS),
                field("rounds", "Rounds", rounds, ROUNDS),
                field("window", "Payment, ms", window_ms, WINDOW_MS),
            ],
        }
    }
}

fn field<T: Into<u32> + Copy>(
    name: &'static str,
    label: &'static str,
    value: T,
    range: RangeInclusive<T>,
) -> NumberField {
    NumberField {
        name,
        label,
        value: value.into(),
        least: (*range.start()).into(),
        most: (*range.end()).into(),
    }
}

/// The race that the form asks for.
///
/// # Errors
/// When a field is missing or out of range, or no strategy is chosen.
pub fn parse(form: &[u8]) -> Result<RaceOrder, Problem> {
    let fields: Vec<(String, String)> = form_urlencoded::parse(form).into_owned().collect();
    let strategies: Vec<String> =
        fields.iter().filter(|(name, _)| name == "strategy").map(|(_, value)| value.clone()).collect();
    let is_name = |name: &String| {
        !name.is_empty() && name.chars().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '_')
    };
    if strategies.is_empty() || strategies.len() > MOST_STRATEGIES || !strategies.iter().all(is_name) {
        return Err(refused("strategy", "expected the name of at least one strategy"));
    }
    Ok(RaceOrder {
        strategies,
        copies: number(&fields, "copies", COPIES)?,
        buyers: number(&fields, "buyers", BUYERS)?,
        rounds: number(&fields, "rounds", ROUNDS)?,
        window_ms: number(&fields, "window", WINDOW_MS)?,
    })
}

fn number<T: FromStr + PartialOrd + Display>(
    fields: &[(String, String)],
    name: &str,
    range: RangeInclusive<T>,
) -> Result<T, Problem> {
    let text = fields.iter().find(|(field, _)| field == name).map_or("", |(_, value)| value.trim());
    let number = text.parse().ok().filter(|number| range.contains(number));
    let expected = || format!("expected a whole number from {} to {}", range.start(), range.end());
    number.ok_or_else(|| refused(name, &expected()))
}

/// The page for a person shows only the problem's sentence, so the field stands in it.
fn refused(name: &str, expected: &str) -> Problem {
    let problem = Problem::unprocessable(&["body", name], expected);
    Problem { detail: format!("The race could not be started. The field {name}: {expected}"), ..problem }
}

/// What is run, in words.
pub fn in_words(order: &Order) -> String {
    match order {
        Order::Check => "a check".to_owned(),
        Order::SlowMotion => "a click in slow motion".to_owned(),
        Order::Race(RaceOrder { strategies, copies, buyers, rounds, window_ms }) => format!(
            "{}: copies {copies}, buyers {buyers}, rounds {rounds}, payment {window_ms} ms",
            strategies.join(", ")
        ),
        Order::Explore(order) => order.in_words(),
    }
}
