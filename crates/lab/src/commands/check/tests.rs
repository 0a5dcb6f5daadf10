//! How a verdict is printed.

use flash_sale_diagnosis::{Diagnosis, Mistake, Shown, WhyItHolds};

use super::*;
use crate::check::played::Interleavings;
use crate::check::verdict::Figures;

fn said(checks: Vec<Check>, orders_deleted: u64, has_hidden: bool) -> String {
    let costs = vec!["10 buyers of 10 copies were served in 1080 ms: one after the other.".to_owned()];
    let figures = Figures { orders_deleted, seconds: 8.9, ..Figures::default() };
    let left_out = Err("PostgreSQL's programs are not here".to_owned());
    text(&CheckReport::new(left_out, checks, costs, figures), has_hidden)
}

#[test]
fn after_a_fix_it_says_what_that_costs_and_what_to_read() {
    let text = said(vec![Check::new("one click", true, "1 order".to_owned(), "")], 1, false);

    assert_eq!(
        text,
        "-       every interleaving         left out: PostgreSQL's programs are not here\n\
         ok      one click                  1 order\n\n\
         FIXED: 0 purchases, 0 oversold (8.9 s)\n\
         Why it holds could not be seen, because no purchases were played here: PostgreSQL's programs are not here.\n\
         The check has reset the shop, which deleted 1 order.\n\
         What it costs, as measured here:\n\
         - 10 buyers of 10 copies were served in 1080 ms: one after the other.\n\
         What that means, and what else there is: DETONADO.md, section \"8. In production\".\n"
    );
}

#[test]
fn a_mistake_is_said_with_the_statements_that_show_it_and_a_fix_with_why_it_holds() {
    let statement = |purchase: &str| Shown {
        purchase: purchase.to_owned(),
        label: "SELECT".to_owned(),
        result: "saw quantity 1".to_owned(),
    };
    let checks = vec![Check::new("one click", false, "2 orders".to_owned(), "Sold twice.")];
    let (played, figures) = (Ok(Interleavings::default()), Figures::default());
    let mut report = CheckReport::new(played.clone(), checks, Vec::new(), figures);
    report.mistake = Some(Diagnosis {
        name: Mistake::NoLock,
        sentence: "Both read the same.".to_owned(),
        statements: vec![statement("A"), statement("B")],
    });
    let said = text(&report, false);
    let mistake = "\nMistake: Both read the same. A's SELECT saw quantity 1. B's SELECT saw quantity 1.\n";
    assert!(said.contains(mistake), "{said}");

    let checks = vec![Check::new("one click", true, "1 order".to_owned(), "")];
    let mut report = CheckReport::new(played, checks, Vec::new(), figures);
    report.why = Some(WhyItHolds { sentence: "It waited.".to_owned(), holds: Some("It holds.".to_owned()) });
    assert!(text(&report, false).contains("\nWhy it holds: It waited. It holds.\n"));
}

#[test]
fn a_shop_in_containers_is_said_to_have_their_commands() {
    let makefile = include_str!("../../../../../Makefile");
    for (here, there) in IN_CONTAINERS {
        let has = |command: &str| match command.strip_prefix("make ") {
            Some(target) => makefile.contains(&format!("\n{target}: ")),
            None => command.starts_with("docker compose "),
        };
        assert!(has(here) && has(there), "{here}, {there}");
    }
    assert_eq!(for_containers("See which: make logs."), "See which: make docker-logs.");
}

#[test]
fn before_a_fix_it_says_where_the_places_are_said() {
    let failed = || Check::new("one click", false, "2 orders".to_owned(), "Sold twice.").at("Look there.");

    let text = said(vec![failed(), failed()], 0, true);
    assert_eq!(text.matches("Sold twice.").count(), 1, "{text}");
    assert!(text.ends_with(
        "(8.9 s)\nWhere in the code to look: make check ARGS=--explain. Or a step at a time: make hint.\n"
    ));
    assert!(!text.contains("costs") && !text.contains("reset"), "{text}");

    let text = said(vec![failed()], 0, false);
    assert!(text.contains("\n        Sold twice. Look there.\n"), "{text}");
}
