//! The timeline as a picture, by what is in its SVG.

use std::time::Instant;

use flash_sale_dashboard::crowd::Crowd;
use flash_sale_dashboard::picture::{Links, draw};
use flash_sale_wiretap::trace::Transaction;

use crate::fixtures::{as_shipped, click, crowd, fixed, no_transaction, odd};

fn picture(transactions: Vec<Transaction>, links: Links) -> String {
    draw(&Crowd::of(&click(transactions)), links).unwrap()
}

/// The place of a bar's box from the left, by what the bar says.
#[track_caller]
fn x_of(picture: &str, says: &str) -> f64 {
    let after = picture.split(&format!("aria-label=\"{says}")).nth(1);
    let after = after.unwrap_or_else(|| panic!("no bar says {says}:\n{picture}"));
    let after = after.split("<rect class=\"box\" x=\"").nth(1).unwrap();
    after.split('"').next().unwrap().parse().unwrap()
}

#[test]
fn as_shipped_both_reads_stand_left_of_either_update() {
    let picture = picture(as_shipped(), Links::SamePage);

    let reads = [x_of(&picture, "A: SELECT"), x_of(&picture, "B: SELECT")];
    let updates = [x_of(&picture, "A: UPDATE"), x_of(&picture, "B: UPDATE")];
    assert!(reads[1] < updates[0] && updates[0] < updates[1], "{reads:?} {updates:?}");
    assert!(!picture.contains("class=\"wait\"") && !picture.contains("class=\"arrow\""), "{picture}");
    for words in ["saw quantity 1", "committed, order 6697f086", "100.5 ms in the application"] {
        assert!(picture.contains(words), "{words}");
    }
}

#[test]
fn in_the_repaired_shop_the_wait_is_drawn_and_joined_to_its_holder() {
    let picture = picture(fixed(), Links::SamePage);

    assert_eq!(picture.matches("class=\"wait\"").count(), 1);
    assert_eq!(picture.matches("class=\"arrow\"").count(), 1);
    let waits = "B: SELECT FOR UPDATE at 50.7 ms, took 54.7 ms, waited 54.2 ms for A, saw quantity 0";
    assert!(picture.contains(waits), "{picture}");
    assert!(picture.contains("saw quantity 1, blocks 1 other"), "{picture}");
    assert!(picture.contains(">rolled back<"), "{picture}");
}

#[test]
fn each_bar_leads_to_its_row_and_in_a_file_to_nothing() {
    let linked = picture(fixed(), Links::SamePage);
    assert!(linked.contains("href=\"#s-12-2\"") && !linked.contains("<style>"), "{linked}");
    assert!(picture(fixed(), Links::OwnPage).contains("href=\"/clicks/11#s-12-2\""));

    let file = picture(fixed(), Links::None);
    assert!(!file.contains("href=") && file.contains("<style>"), "{file}");
}

#[test]
fn what_a_statement_holds_can_not_become_markup() {
    let mut transactions = odd();
    transactions[1].statements[2].sql = "SELECT '</text><script>'".to_owned();
    transactions[1].statements[2].error = Some("<script>".to_owned());

    assert!(!picture(transactions, Links::SamePage).contains("<script>"));
}

#[test]
fn what_is_odd_is_drawn() {
    let picture = picture(odd(), Links::SamePage);
    for words in ["connection lost", "still open", "error 23514", "ROLLBACK TO", "blocks 1 other"] {
        assert!(picture.contains(words), "{words}\n{picture}");
    }

    let lone = self::picture(no_transaction(), Links::SamePage);
    assert!(lone.contains("no transaction"), "{lone}");
}

#[test]
fn a_statement_that_has_just_begun_has_room_for_its_words() {
    let picture = picture(odd().into_iter().take(1).collect(), Links::SamePage);

    let bar = picture.split("aria-label=\"A: SELECT FOR NO KEY UPDATE").nth(1).unwrap();
    let width = bar.split(" width=\"").nth(1).unwrap().split('"').next().unwrap();
    assert!(width.parse::<f64>().unwrap() > 150.0, "{width}\n{picture}");
}

#[test]
fn two_hundred_buyers_stay_readable_and_are_drawn_in_less_than_a_tenth_of_a_second() {
    // The fastest of several counts: other programs may have the processor meanwhile.
    let draws = (0..5).map(|_| {
        let transactions = crowd(200);
        let begin = Instant::now();
        let picture = picture(transactions, Links::SamePage);
        (begin.elapsed(), picture)
    });
    let (took, picture) = draws.min_by_key(|(took, _)| *took).unwrap();

    assert_eq!(picture.matches("class=\"lane\"").count(), 6);
    assert!(picture.contains("94 others: rolled back, saw quantity 0"), "{picture}");
    assert!(picture.contains("waited 210.0 ms for B"), "the lane of its own holder: {picture}");
    assert!(took.as_millis() < 100, "{took:?}");
}
