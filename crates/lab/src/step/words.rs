//! What `make step` says.

use std::fmt::Write;

use flash_sale_dashboard::engine_messages::BrokenRule;
use flash_sale_dashboard::played::{Played, letter};
use flash_sale_dashboard::played_view::{LookView, step_views};
use flash_sale_diagnosis::sql::{label, short};

use crate::explore::report::replay_command;
use crate::wording::counted;
use crate::wrap::wrapped;

/// The longest line, in characters.
const WIDTH: usize = 98;

/// What the characters mean.
pub const HELP: &str = "
  a, b   let purchase A or B go on by one statement
  p      say first what the next read will see, and then look
  u      take the last step back
  ?      this help
  q      end
Type one or several of them, and then Enter.
";

/// What is said before the first step.
pub fn introduction(stock: u32) -> String {
    let copies = counted(usize::try_from(stock).unwrap_or(usize::MAX), "copy");
    format!(
        "You are the scheduler. Two buyers want the same book, and the shop has {copies}. Both purchases have begun on \
         replicas\nof their own, and each is held before its next statement. You let one of them go on, step by step. \
         Each of your steps\nplays all steps again, so nothing runs out of time while you think. Your shop goes on \
         undisturbed.\n\n  \
         1. As the shop was shipped, make it sell more copies than there are.\n  \
         2. When you have mended it, try again. Or choose another way to sell (--strategy).\n{HELP}"
    )
}

/// Where the person stands: the last step, the rows, the locks, and what each purchase does next.
pub fn moment(played: &Played) -> String {
    let at = played.steps.len();
    let look = LookView::at(played, at);
    let mut text = String::from("\n");
    match step_views(played, at).last() {
        Some(step) => {
            let note = if step.note.is_empty() { String::new() } else { format!(": {}", step.note) };
            let _ = writeln!(text, "Step {}. {} sent {}{note}", step.place, step.letter, step.label);
        }
        None => text.push_str("Before the first step\n"),
    }
    let _ = writeln!(text, "  stock {}, orders {} (committed)", look.stock, look.orders);
    let held = look.locks.iter().map(|lock| {
        let verb = if lock.is_granted { "holds" } else { "waits for" };
        format!("{} {verb}: {} ({})", lock.letter, lock.what, lock.mode)
    });
    for lock in held {
        let _ = writeln!(text, "  {lock}");
    }
    let next = played.looks.get(at).map(|look| look.next.as_slice()).unwrap_or_default();
    for (actor, doing) in look.purchases.iter().enumerate() {
        let _ = writeln!(text, "  {doing}");
        let sql = next.iter().find(|(it, _)| *it == actor).map(|(_, sql)| short(sql));
        for line in sql.iter().flat_map(|sql| wrapped(sql, WIDTH - 6)) {
            let _ = writeln!(text, "      {line}");
        }
    }
    text
}

/// Both purchases are done.
pub fn is_done() -> String {
    "\nBoth purchases are done. u takes a step back, q ends.\n".to_owned()
}

/// Why a purchase can't go on.
pub fn not_possible(played: &Played, actor: usize) -> String {
    let look = LookView::at(played, played.steps.len());
    let doing = look.purchases.get(actor).cloned().unwrap_or_default();
    format!("\n{} can't go on: {doing}.\n", letter(actor))
}

/// The question before a read.
pub fn what_is_read(played: &Played, actor: usize) -> String {
    let name = letter(actor);
    let next = played.looks.last().and_then(|look| look.next.iter().find(|(it, _)| *it == actor));
    let label = next.map(|(_, sql)| label(sql)).unwrap_or_default();
    format!("\n{name} reads next: {label}. What will {name} read? The number of copies, or w: it waits\n")
}

/// Both purchases read next.
pub fn who_reads() -> String {
    "\nA and B both read next. Which of them shall go on, a or b?\n".to_owned()
}

/// No purchase reads the stock next.
pub fn nobody_reads() -> String {
    "\nNo purchase reads the stock with its next statement.\n".to_owned()
}

/// There is no step to be taken back.
pub fn nothing_to_take_back() -> String {
    "\nThere is no step to be taken back.\n".to_owned()
}

/// A character that means nothing.
pub fn unknown(character: char) -> String {
    format!("\n{character} means nothing here. ? lists what you can type.\n")
}

/// What came of it, and how it is played again.
pub fn ending(played: &Played, stock: u32, arguments: &str) -> String {
    let mut text = match &played.outcome {
        Some(outcome) if outcome.flaw == Some(BrokenRule::Oversold) => format!(
            "\nOVERSOLD. You have made the shop sell {}, and there were {stock}.\n",
            counted(outcome.orders, "copy")
        ),
        Some(outcome) => format!(
            "\nBoth purchases are done. Orders: {}. Copies that are left: {}.\n",
            outcome.orders, outcome.left
        ),
        None => "\nIt ends before both purchases are done.\n".to_owned(),
    };
    if !played.steps.is_empty() {
        let _ = writeln!(text, "Play it again: {}", replay_command(arguments, &played.letters()));
    }
    text
}
