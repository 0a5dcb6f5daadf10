//! The form of an exploration, and of the scheduler: what it shows, and what is read from it.

use crate::explore_order::{EXERCISE, ExploreOrder};
use crate::problem::Problem;
use crate::rooms::StrategyChoice;

/// So many copies can be asked for.
const COPIES: [u32; 2] = [1, 2];
/// The name of a strategy is not longer than this.
const LONGEST_NAME: usize = 60;

/// What the form shows.
pub struct ExploreForm {
    /// The ways to sell, and whether each is chosen.
    pub ways: Vec<(StrategyChoice, bool)>,
    /// How many copies there are at first, and whether each is chosen.
    pub copies: [(u32, bool); 2],
}

impl ExploreForm {
    /// The form, filled as for the last exploration.
    pub fn of(choices: Vec<StrategyChoice>, last: Option<&ExploreOrder>) -> Self {
        let chosen = last.map_or(EXERCISE, |order| &order.strategy);
        let copies = last.map_or(COPIES[0], |order| order.copies);
        let ways = choices.into_iter().map(|choice| {
            let is_chosen = choice.name == chosen;
            (choice, is_chosen)
        });
        Self { ways: ways.collect(), copies: COPIES.map(|number| (number, number == copies)) }
    }
}

/// What the form asks for.
///
/// # Errors
/// When a field is missing or out of range.
pub fn parse(form: &[u8]) -> Result<ExploreOrder, Problem> {
    let field = |wanted: &str| {
        let mut fields = form_urlencoded::parse(form);
        fields.find(|(name, _)| name == wanted).map(|(_, value)| value.into_owned()).unwrap_or_default()
    };
    order(&field("strategy"), &field("copies"))
}

/// The purchases with these values.
///
/// # Errors
/// When one of them is out of range.
pub fn order(strategy: &str, copies: &str) -> Result<ExploreOrder, Problem> {
    let is_of_a_name = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '_';
    if strategy.is_empty() || strategy.len() > LONGEST_NAME || !strategy.chars().all(is_of_a_name) {
        return Err(refused("strategy", "expected the name of a way to sell"));
    }
    let copies = copies.parse().ok().filter(|copies| COPIES.contains(copies));
    let copies = copies.ok_or_else(|| refused("copies", "expected 1 or 2"))?;
    Ok(ExploreOrder { strategy: strategy.to_owned(), copies })
}

/// The page for a person shows only the problem's sentence, so the field stands in it.
fn refused(name: &str, expected: &str) -> Problem {
    let problem = Problem::unprocessable(&["body", name], expected);
    Problem { detail: format!("It could not be started. The field {name}: {expected}"), ..problem }
}
